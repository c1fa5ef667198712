/** Pods, and the templates that make them. Source: core/v1 Pod; wording of kube-apiserver's validation. */
import type { KubeObject } from '../../../api/meta.ts';
import type { FieldCause } from '../../../api/status.ts';
import type { Fields } from '../../../std/value.ts';
import { at, equal, fieldsOf, isFields, listOf, textOf, without } from '../../../std/value.ts';
import { duplicate, forbiddenField, invalidValue, notSupported, required } from './causes.ts';
import type { KindChecks } from './checks.ts';
import { containerCauses } from './container.ts';
import { labelCauses } from './metadata.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';
import { volumeCauses } from './volume.ts';

/** What is wrong with a pod's spec at `field`. `template` pods restart as their owner allows. */
export function podSpecCauses(
  spec: Fields,
  field: string,
  restart: readonly string[] = ['Always', 'OnFailure', 'Never'],
): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const volumes = listOf(spec['volumes']);
  causes.push(...volumeCauses(volumes, `${field}.volumes`));
  const volumeNames = new Set(volumes.map((volume) => textOf(at(volume, 'name'))));
  const containers = listOf(spec['containers']);
  if (containers.length === 0) causes.push(required(`${field}.containers`));
  const names = new Set<string>();
  for (const [list, isInit] of [
    ['containers', false],
    ['initContainers', true],
  ] as const) {
    for (const [index, container] of listOf(spec[list]).entries()) {
      const path = `${field}.${list}[${index}]`;
      causes.push(...containerCauses(fieldsOf(container), path, { volumeNames, isInit }));
      const name = textOf(at(container, 'name'));
      if (name !== '' && names.has(name)) causes.push(duplicate(`${path}.name`, name));
      names.add(name);
    }
  }
  const policy = textOf(spec['restartPolicy']);
  if (policy === '') causes.push(required(`${field}.restartPolicy`));
  else if (!restart.includes(policy)) causes.push(notSupported(`${field}.restartPolicy`, policy, restart));
  const dns = textOf(spec['dnsPolicy']);
  if (dns !== '' && !['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'].includes(dns)) {
    causes.push(
      notSupported(`${field}.dnsPolicy`, dns, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']),
    );
  }
  if (dns === 'None' && listOf(at(spec, 'dnsConfig', 'nameservers')).length === 0) {
    causes.push(
      required(`${field}.dnsConfig.nameservers`, `must provide at least one DNS nameserver when \`dnsPolicy\` is None`),
    );
  }
  const grace = spec['terminationGracePeriodSeconds'];
  if (typeof grace === 'number' && grace < 0) {
    causes.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'));
  }
  const deadline = spec['activeDeadlineSeconds'];
  if (typeof deadline === 'number' && (deadline < 1 || deadline > 2_147_483_647)) {
    causes.push(
      invalidValue(`${field}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'),
    );
  }
  for (const [name, spelling] of [
    ['serviceAccountName', dnsSubdomain],
    ['nodeName', dnsSubdomain],
    ['hostname', dnsLabel],
    ['subdomain', dnsLabel],
  ] as const) {
    const value = textOf(spec[name]);
    const why = value === '' ? undefined : spelling(value);
    if (why !== undefined) causes.push(invalidValue(`${field}.${name}`, value, why));
  }
  causes.push(
    ...labelCauses(fieldsOf(spec['nodeSelector']) as Readonly<Record<string, string>>, `${field}.nodeSelector`),
  ); // decoded as a map of text
  causes.push(...tolerationCauses(listOf(spec['tolerations']), `${field}.tolerations`));
  if (spec['hostNetwork'] === true) causes.push(...hostPortCauses(containers, `${field}.containers`));
  return causes;
}

/** With the host's network a container's port is the host's. */
function hostPortCauses(containers: readonly unknown[], field: string): readonly FieldCause[] {
  return containers.flatMap((container, index) =>
    listOf(at(container, 'ports')).flatMap((port, portIndex) => {
      const { hostPort = 0, containerPort } = fieldsOf(port);
      return hostPort === 0 || hostPort === containerPort
        ? []
        : [
            invalidValue(
              `${field}[${index}].ports[${portIndex}].hostPort`,
              hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ];
    }),
  );
}

function tolerationCauses(tolerations: readonly unknown[], field: string): readonly FieldCause[] {
  return tolerations.flatMap((toleration, index) => {
    const path = `${field}[${index}]`;
    const { key = '', operator = 'Equal', value = '', effect = '', tolerationSeconds } = fieldsOf(toleration);
    const causes: FieldCause[] = [];
    if (key === '' && operator !== 'Exists') {
      causes.push(
        invalidValue(
          `${path}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      causes.push(invalidValue(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === 'Exists' && value !== '') {
      causes.push(invalidValue(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    }
    if (operator !== 'Exists' && operator !== 'Equal')
      causes.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']));
    if (!['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(textOf(effect))) {
      causes.push(notSupported(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
    }
    return causes;
  });
}

const immutableText =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** A pod's spec is what it was made with: images may change, tolerations grow, a deadline shrink. */
function podUpdateCauses(next: KubeObject, old: KubeObject): readonly FieldCause[] {
  const [spec, before] = [fieldsOf(next['spec']), fieldsOf(old['spec'])];
  const causes: FieldCause[] = [];
  for (const list of ['containers', 'initContainers']) {
    if (listOf(spec[list]).length !== listOf(before[list]).length) {
      return [forbiddenField(`spec.${list}`, 'pod updates may not add or remove containers')];
    }
    for (const [index, container] of listOf(spec[list]).entries()) {
      if (textOf(at(container, 'image')) === '') causes.push(required(`spec.${list}[${index}].image`));
    }
  }
  const deadline = spec['activeDeadlineSeconds'];
  const was = before['activeDeadlineSeconds'];
  if (typeof was === 'number' && (typeof deadline !== 'number' || deadline > was)) {
    causes.push(
      invalidValue('spec.activeDeadlineSeconds', deadline ?? null, 'must be less than or equal to previous value'),
    );
  }
  const tolerations = listOf(spec['tolerations']);
  const lost = listOf(before['tolerations']).some(
    (one) =>
      !tolerations.some((other) =>
        equal(without(fieldsOf(other), 'tolerationSeconds'), without(fieldsOf(one), 'tolerationSeconds')),
      ),
  );
  if (lost)
    causes.push(
      forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
    );
  const gates = listOf(spec['schedulingGates']);
  if (gates.some((gate) => !listOf(before['schedulingGates']).some((one) => equal(one, gate)))) {
    causes.push(forbiddenField('spec.schedulingGates', 'only deletion is allowed, but found new scheduling gates'));
  }
  if (!equal(fixedPart(spec), fixedPart(before))) causes.push(forbiddenField('spec', immutableText));
  return causes;
}

function fixedPart(spec: Fields): Fields {
  const noImage = (container: unknown): unknown => (isFields(container) ? without(container, 'image') : container);
  return {
    ...without(spec, 'activeDeadlineSeconds', 'tolerations', 'schedulingGates', 'terminationGracePeriodSeconds'),
    containers: listOf(spec['containers']).map(noImage),
    initContainers: listOf(spec['initContainers']).map(noImage),
  };
}

export const podChecks: KindChecks = {
  object: (pod) => podSpecCauses(fieldsOf(pod['spec']), 'spec'),
  update: podUpdateCauses,
};

/** What is wrong with the template at `field`: its labels and its pod. */
export function templateCauses(template: Fields, field: string, restart?: readonly string[]): readonly FieldCause[] {
  const labels = fieldsOf(at(template, 'metadata', 'labels')) as Readonly<Record<string, string>>; // decoded as a map of text
  return [
    ...labelCauses(labels, `${field}.metadata.labels`),
    ...podSpecCauses(fieldsOf(template['spec']), `${field}.spec`, restart),
  ];
}
