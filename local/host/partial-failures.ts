// What a function says about the items of its batch that failed (ReportBatchItemFailures). Pure.

/** Every item failed, as when the function threw: an answer nobody can read counts as that too, as in Lambda. */
export const allFailed = Symbol('all failed');

/**
 * The identifiers of the failed items: none for an empty or absent answer. `known` are the identifiers of the batch;
 * one that is empty or not among them makes the whole batch count as failed.
 */
export function failedItems(
  result: unknown,
  known: ReadonlySet<string>,
): ReadonlySet<string> | typeof allFailed {
  if (result === undefined || result === null) return new Set();
  if (typeof result !== 'object') return new Set();
  const failures = (result as { batchItemFailures?: unknown }).batchItemFailures;
  if (failures === undefined || failures === null) return new Set();
  if (!Array.isArray(failures)) return allFailed;
  const failed = new Set<string>();
  for (const failure of failures as readonly unknown[]) {
    const id = (failure as { itemIdentifier?: unknown } | null)?.itemIdentifier;
    if (typeof id !== 'string' || !known.has(id)) return allFailed;
    failed.add(id);
  }
  return failed;
}
