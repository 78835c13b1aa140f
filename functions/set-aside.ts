// Rows that cannot be read must not keep the others from being worked on: what is left out is told here, without what it
// holds. A metric and its alarm bring somebody to look (docs/runbook.md#unreadable-rows).
import type { SetAside } from '../shared/store/port.ts';
import type { Log } from './ports.ts';

/** Logs each row left out and counts it. */
export function tellAside(log: Log, count: () => void = () => {}): SetAside {
  return ({ pk, sk }) => {
    count();
    log.error('a stored row cannot be read; it is left out and stays as it is, the others are worked on', {
      row: `${pk} / ${sk}`,
    });
  };
}
