// Sizes as people write them ("512MB", "1.5GiB"). As in Aurora every unit is a power of 1024, with or without the i.

const units: Readonly<Record<string, number>> = { k: 1 / 1024, m: 1, g: 1024, t: 1024 * 1024 };

/** Whole MiB in a size text (rounded down), or undefined if it is not a size of at least 1 MiB. */
export function parseSizeMb(text: string): number | undefined {
  const match = /^\s*(\d{1,12}(?:\.\d{1,6})?)\s*([kmgt])(?:i?b)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const mb = Math.floor(Number(match[1]) * (units[(match[2] as string).toLowerCase()] as number));
  return mb >= 1 ? mb : undefined;
}
