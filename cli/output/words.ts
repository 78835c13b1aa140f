// Numbers as people read them: cores, sizes, shares, ages.

/** `2.5` for 2500 thousandths. */
export function formatMilli(milli: number): string {
  return String(Math.round(milli) / 1000);
}

const units = ['MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `512 MiB`, `2 GiB`, `1.5 GiB`: three digits at most. */
export function formatMb(mb: number): string {
  let value = mb;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0))} ${units[unit]}`;
}

/** `12%`, one decimal where it says something: `92.8%`. */
export function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`;
}

/** Time span in its largest one or two units: `45s`, `12m`, `3h20m`, `2d4h`. Negative counts as 0. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
}

/** `1 instance`, `3 instances`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}
