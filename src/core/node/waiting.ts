import type { RuntimeError } from './runtimes/runtime.ts';

/**
 * The reason that a container waits with after `error` kept it from starting: upstream's words, which people look for and
 * alerts are made of. An image without a command has no word there.
 */
export function waitingReason({ reason }: RuntimeError): string {
  switch (reason) {
    case 'ImageWithoutCommand':
    case 'CreateContainerConfigError':
      return reason;
    case 'StartFailed':
      return 'RunContainerError';
    case 'FailedMount':
      return 'ContainerCreating';
    case 'Unsupported':
    case 'InvalidContainer':
    case 'NotFound':
    case 'AlreadyExists':
    case 'NotRunning':
    case 'Unreachable':
      return 'CreateContainerError';
  }
}
