import { compareStrings, Labels } from '../model/labels.ts';
import { type Attributes, attributeText, type ResourceMetrics, type ScopeMetrics } from '../proto/otlp.ts';
import type { Namer } from './otlp-names.ts';

export interface OtlpLabelOptions {
  /** Resource attributes that become labels of every series. */
  readonly promoteResourceAttributes: readonly string[];
  /** Whether `service.name`, `service.namespace` and `service.instance.id` also stay labels of `target_info`. */
  readonly keepIdentifyingResourceAttributes?: boolean;
  /** Whether name, version, schema and attributes of the scope become `otel_scope_…` labels. */
  readonly promoteScopeMetadata?: boolean;
}

const SERVICE_NAME = 'service.name';
const SERVICE_NAMESPACE = 'service.namespace';
const SERVICE_INSTANCE = 'service.instance.id';
const IDENTIFYING = new Set([SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE]);

/** The labels that one resource gives its series: `job`, `instance` and promoted attributes. Errors are the namer's. */
export class ResourceLabels {
  readonly #namer: Namer;
  readonly #options: OtlpLabelOptions;
  readonly #attributes: Attributes;
  readonly #identity: ReadonlyMap<string, string>;
  readonly #promoted: ReadonlyMap<string, string>;

  constructor(resource: ResourceMetrics, namer: Namer, options: OtlpLabelOptions) {
    this.#namer = namer;
    this.#options = options;
    this.#attributes = resource.attributes;
    this.#identity = identityOf(resource.attributes);
    const wanted = new Set(options.promoteResourceAttributes);
    this.#promoted = this.#merged(resource.attributes.filter(([key]) => wanted.has(key)));
  }

  /** Labels of a point, without the metric name. A point's attributes win over promoted ones, `job` and `instance` over all. */
  ofPoint(attributes: Attributes, scopeLabels: ReadonlyMap<string, string>): Labels {
    const labels = this.#merged(attributes);
    for (const [name, value] of this.#promoted) if (!labels.has(name)) labels.set(name, value);
    for (const [name, value] of scopeLabels) labels.set(name, value);
    for (const [name, value] of this.#identity) labels.set(name, value);
    return Labels.from(labels);
  }

  ofScope(scope: ScopeMetrics): ReadonlyMap<string, string> {
    const labels = new Map<string, string>();
    if (!this.#options.promoteScopeMetadata || scope.name === '') return labels;
    labels.set('otel_scope_name', scope.name);
    labels.set('otel_scope_version', scope.version);
    labels.set('otel_scope_schema_url', scope.schemaUrl);
    for (const [key, value] of scope.attributes)
      labels.set(this.#namer.labelName(`otel_scope_${key}`), attributeText(value));
    return labels;
  }

  /** Labels of `target_info`; undefined when the resource says nothing besides its identity, or has none. */
  ofTarget(): Labels | undefined {
    const describing = this.#attributes.filter(([key]) => !IDENTIFYING.has(key));
    if (describing.length === 0 || this.#identity.size === 0) return undefined;
    const labels = this.#merged(
      this.#options.keepIdentifyingResourceAttributes ? this.#attributes : describing,
    );
    for (const [name, value] of this.#identity) labels.set(name, value);
    labels.set('__name__', 'target_info');
    return Labels.from(labels);
  }

  /** Attributes by label name; values of attributes that get the same name are joined with `;` in the order of their keys. */
  #merged(attributes: Attributes): Map<string, string> {
    const labels = new Map<string, string>();
    for (const [key, value] of attributes.toSorted((a, b) => compareStrings(a[0], b[0]))) {
      const name = this.#namer.labelName(key);
      const text = attributeText(value);
      const known = labels.get(name);
      labels.set(name, known === undefined ? text : `${known};${text}`);
    }
    return labels;
  }
}

function identityOf(attributes: Attributes): Map<string, string> {
  const byKey = new Map(attributes);
  const identity = new Map<string, string>();
  if (byKey.has(SERVICE_NAME)) {
    const name = attributeText(byKey.get(SERVICE_NAME));
    const space = byKey.has(SERVICE_NAMESPACE) ? `${attributeText(byKey.get(SERVICE_NAMESPACE))}/` : '';
    identity.set('job', `${space}${name}`);
  }
  if (byKey.has(SERVICE_INSTANCE)) identity.set('instance', attributeText(byKey.get(SERVICE_INSTANCE)));
  return identity;
}
