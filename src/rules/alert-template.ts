import { compileTemplate } from './template/expand.ts';
import type { ParsedTemplate } from './template/node.ts';

/** What writers of rules need not write. */
const PREFIX =
  '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}';

/** The template of a label or an annotation of an alert. Throws `bad_data`. */
export function compileAlertTemplate(alert: string, text: string): ParsedTemplate {
  return compileTemplate(templateName(alert), PREFIX + text);
}

/** As messages name it. */
export function templateName(alert: string): string {
  return `__alert_${alert}`;
}
