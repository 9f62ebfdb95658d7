// Copies of a window of one image, with zeros where it reaches over the edge.

/**
 * Rows row … row + rows − 1 and columns col … col + cols − 1 of an image [height][width] whose pixels of
 * `channels` floats are `pixelBytes` apart, densely packed to `to`; zeros outside the image.
 */
export function copyWindow(
  to: usize, from: usize, pixelBytes: i32, channels: i32, height: i32, width: i32,
  row: i32, rows: i32, col: i32, cols: i32,
): void {
  const bytes = channels * 4;
  const first = min(max(0, -col), cols); // columns of zeros on the left
  const last = max(first, min(cols, width - col)); // where those on the right begin
  const dense = pixelBytes == bytes;
  for (let r = 0; r < rows; r++) {
    const y = row + r;
    if (y < 0 || y >= height) {
      memory.fill(to, 0, cols * bytes);
      to += cols * bytes;
      continue;
    }
    zero(to, first * bytes);
    to += first * bytes;
    let source = from + (y * width + col + first) * pixelBytes;
    if (dense) {
      copy(to, source, (last - first) * bytes);
      to += (last - first) * bytes;
    } else {
      for (let c = first; c < last; c++) {
        copy(to, source, bytes);
        to += bytes;
        source += pixelBytes;
      }
    }
    zero(to, (cols - last) * bytes);
    to += (cols - last) * bytes;
  }
}

/** As memory.fill(to, 0, bytes): that one is a call out of the module in V8. */
// @ts-ignore: decorator
@inline
export function zero(to: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 16; i += 16) v128.store(to + i, i32x4.splat(0));
  for (; i < bytes; i += 4) store<i32>(to + i, 0);
}

/** As memory.copy for floats that do not overlap. */
// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 64; i += 64) {
    const a = v128.load(from + i);
    const b = v128.load(from + i, 16);
    const c = v128.load(from + i, 32);
    const d = v128.load(from + i, 48);
    v128.store(to + i, a);
    v128.store(to + i, b, 16);
    v128.store(to + i, c, 32);
    v128.store(to + i, d, 48);
  }
  for (; i <= bytes - 16; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i < bytes; i += 4) store<i32>(to + i, load<i32>(from + i));
}
