// Numbers as people read them.

export const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

/** Seven significant places would be noise; a loss that is not finite stays visible. */
export const shortNumber = (value: number): string =>
  Number.isFinite(value) ? value.toFixed(4) : `${value}`;

export const rate = (imagesPerSecond: number | undefined): string =>
  imagesPerSecond === undefined
    ? "? images/s"
    : `${imagesPerSecond.toFixed(imagesPerSecond < 10 ? 2 : 0)} images/s`;

/** `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** A word as a shell takes it. */
export const shellWord = (word: string): string =>
  /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
