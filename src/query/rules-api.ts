import type { Matcher } from '../model/matcher.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { filterRules, mergeRuleGroups } from '../storeapi/merge-rules.ts';
import type {
  WireAlertRule,
  WireRecordingRule,
  WireRuleGroup,
  WireRulesRequest,
  WireRulesResponse,
} from '../storeapi/service-messages.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { jsonResponse } from './json-response.ts';
import { invalid, Params } from './params.ts';
import { readOptions } from './read-options.ts';
import { alertsJson, groupJson } from './rules-json.ts';
import type { ServiceReader } from './service-reader.ts';

const TYPES: Readonly<Record<string, number>> = { alert: 1, record: 2 };

/** `rules` and `alerts` of this process and all its endpoints, merged; with Prometheus' parameters and Thanos'. */
export function rulesRoutes(reader: ServiceReader): Route[] {
  return onApiPaths([
    getRoute('/api/v1/rules', (request) => rules(reader, request)),
    getRoute('/api/v1/alerts', (request) => alerts(reader, request)),
  ]);
}

async function rules(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const params = new Params(request);
  const withAlerts = !params.flag('exclude_alerts');
  const { page, warnings } = await pageOf(reader, request, params);
  const groups = page.groups.map((group) => groupJson(group, withAlerts));
  return jsonResponse({ groups, ...(page.next && { groupNextToken: page.next }) }, warnings);
}

async function alerts(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const wanted = { ...wantedRules(new Params(request)), type: TYPES.alert };
  const { groups, warnings } = await readGroups(reader, request, wanted);
  return jsonResponse({ alerts: groups.flatMap(alertsJson) }, warnings);
}

interface Page {
  readonly groups: readonly WireRuleGroup[];
  /** Names the group after the page; undefined when there is none. */
  readonly next: string | undefined;
}

/** Prometheus' paging: `group_limit` groups, from the one that `group_next_token` names. */
async function pageOf(reader: ServiceReader, request: HttpRequest, params: Params) {
  const limit = params.limit('group_limit');
  const token = params.text('group_next_token');
  if (token !== undefined && limit === 0)
    throw invalid('group_limit', 'group_limit needs to be present in order to paginate over the groups');
  const { groups, warnings } = await readGroups(reader, request, wantedRules(params));
  const first = token === undefined ? 0 : groups.findIndex((group) => tokenOf(group) === token);
  if (first < 0) throw invalid('group_next_token', 'no group has this token');
  const end = limit === 0 ? groups.length : first + limit;
  const after = groups[end];
  const page: Page = { groups: groups.slice(first, end), next: after && tokenOf(after) };
  return { page, warnings };
}

function tokenOf({ file, name }: WireRuleGroup): string {
  return Buffer.from(JSON.stringify([file, name])).toString('base64url');
}

interface WantedRules {
  /** 0 for all. */
  readonly type: number;
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly files: readonly string[];
  readonly matches: readonly string[];
  readonly matcherSets: readonly (readonly Matcher[])[];
}

function wantedRules(params: Params): WantedRules {
  const type = params.text('type')?.toLowerCase();
  if (type !== undefined && !Object.hasOwn(TYPES, type))
    throw invalid('type', `not supported value ${JSON.stringify(type)}`);
  return {
    type: type === undefined ? 0 : TYPES[type],
    names: params.all('rule_name[]'),
    groups: params.all('rule_group[]'),
    files: params.all('file[]'),
    matches: params.all('match[]'),
    matcherSets: params.matcherSets(),
  };
}

async function readGroups(reader: ServiceReader, request: HttpRequest, wanted: WantedRules) {
  const read = readOptions(new Params(request));
  const { tenant, signal } = request;
  const asked: Omit<WireRulesRequest, 'partial_response_strategy'> = {
    type: wanted.type,
    matcher_string: wanted.matches,
    rule_name: wanted.names,
    rule_group: wanted.groups,
    file: wanted.files,
  };
  const question = { service: 'rules', method: 'Rules', tenant, request: asked, read } as const;
  const { messages, warnings } = await reader.ask<WireRulesResponse>(question, signal);
  const all = messages.flatMap(({ group }) => (group ? [group] : []));
  const chosen = filterRules(
    all.filter((group) => isChosen(wanted.groups, group.name) && isChosen(wanted.files, group.file)),
    (rule, isAlert) => wantsRule(wanted, rule, isAlert),
  );
  return { groups: mergeRuleGroups(chosen, reader.replicaLabels(read)), warnings };
}

/** Peers filter too, but not all of them by everything. */
function wantsRule(
  { type, names, matcherSets }: WantedRules,
  rule: WireAlertRule | WireRecordingRule,
  isAlert: boolean,
): boolean {
  if (type !== 0 && (type === TYPES.alert) !== isAlert) return false;
  return (
    isChosen(names, rule.name) && (matcherSets.length === 0 || matcherSets.some((set) => allMatch(set, rule)))
  );
}

/** A label whose value is a template has none before an alert fires. */
function allMatch(matchers: readonly Matcher[], { labels }: WireRecordingRule): boolean {
  const values = new Map(
    labels?.labels.filter(({ value }) => !value.includes('{{')).map(({ name, value }) => [name, value]),
  );
  return matchers.every((matcher) => matcher.matches(values.get(matcher.name) ?? ''));
}

function isChosen(chosen: readonly string[], name: string): boolean {
  return chosen.length === 0 || chosen.includes(name);
}
