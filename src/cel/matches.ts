import { Duration, Timestamp } from './time.ts';
import type { Type } from './types.ts';
import { Double, isMap, isOpaque, Lazy, List, Optional, TypeValue, Uint, type Value } from './values.ts';

/** Whether a value may be an argument of `type`, as far as can be seen without looking into lists and maps. */
export function matches(type: Type, value: Value): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'param':
      return true;
    case 'error':
      return false;
    case 'null':
      return value === null;
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'number' || typeof value === 'bigint';
    case 'string':
      return typeof value === 'string';
    case 'uint':
      return value instanceof Uint;
    case 'double':
      return value instanceof Double;
    case 'bytes':
      return value instanceof Uint8Array;
    case 'timestamp':
      return value instanceof Timestamp;
    case 'duration':
      return value instanceof Duration;
    case 'list':
      return value instanceof List;
    case 'map':
      return isMap(value);
    case 'object':
      return isMap(value) || value instanceof Lazy;
    case 'type':
      return value instanceof TypeValue;
    case 'opaque':
      if (type.name === 'optional_type') return value instanceof Optional;
      return isOpaque(value) && value.type.name === type.name;
  }
}
