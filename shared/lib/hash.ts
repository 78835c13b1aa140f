// Small stable hashes: shards for keys, content ids for configs. Not for secrets.
import { createHash } from 'node:crypto';

/** 32-bit FNV-1a of a string; stable for ever, since stored keys depend on it. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** The shard (0..shards-1) a key belongs to. */
export function shardOf(key: string, shards: number): number {
  return fnv1a(key) % shards;
}

/** JSON with object keys in sorted order, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** First 16 hex digits of SHA-256 of the canonical JSON: the id of an immutable value (a config version). */
export function contentId(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16);
}
