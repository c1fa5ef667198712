/** Pods stay five minutes on a node that fails. Source: kube-apiserver, admission plugin DefaultTolerationSeconds. */
import { at, fieldsOf, listOf } from '../../std/value.ts';
import type { Mutator } from './chain.ts';

/** Source: the plugin's defaults. */
const tolerationSeconds = 300;

/** Adds the tolerations for not-ready and unreachable nodes that a new pod does not name itself. */
export const withTolerations: Mutator = async (_deps, request, object) => {
  if (request.resource !== 'pods' || request.subresource !== '' || request.operation !== 'CREATE') return object;
  const present = listOf(at(object, 'spec', 'tolerations'));
  const missing = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].filter(
    (key) =>
      !present.some((toleration) => {
        const { key: own = '', effect = '' } = fieldsOf(toleration);
        return (own === key || own === '') && (effect === 'NoExecute' || effect === '');
      }),
  );
  if (missing.length === 0) return object;
  const added = missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }));
  return { ...object, spec: { ...fieldsOf(object['spec']), tolerations: [...present, ...added] } };
};
