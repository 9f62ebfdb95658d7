// Regions with a dynamic origin: rows added to a tensor, windows cut out and added.

import { mapFirst, rowOf, share } from "./common";
import { copy, copyWindow, zero } from "./padding";

/** to[i] = a[i] + b[i]; bytes is a multiple of 4. */
function addLine(to: usize, a: usize, b: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 16; i += 16) v128.store(to + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  for (; i < bytes; i += 4) f32.store(to + i, f32.load(a + i) + f32.load(b + i));
}

/** out = base with part added at the rows of `range`, a RowMap. base may be 0 (zeros), or `out` itself. */
@unmanaged
class AddRows {
  base: usize;
  baseMap: usize;
  part: usize;
  partMap: usize;
  range: usize;
  modulo: i32; // of the range
  first: i32; // its base
  count: i32;
  out: usize;
  outMap: usize;
  rows: i32;
  rowBytes: i32;
}

export function addRows(args: usize, thread: i32, threads: i32): void {
  const a = changetype<AddRows>(args);
  const baseFirst = mapFirst(a.baseMap);
  const partFirst = mapFirst(a.partMap);
  const outFirst = mapFirst(a.outMap);
  const start = mapFirst(a.range);
  const end = share(a.rows, thread + 1, threads);
  for (let r = share(a.rows, thread, threads); r < end; r++) {
    const out = a.out + <usize>rowOf(a.outMap, outFirst, r) * a.rowBytes;
    const base = a.base ? a.base + <usize>rowOf(a.baseMap, baseFirst, r) * a.rowBytes : 0;
    let i = -1; // the part's row that belongs here
    if (r >= a.first && r < a.first + a.modulo) {
      i = r - a.first - start;
      if (i < 0) i += a.modulo;
    }
    if (i >= 0 && i < a.count) {
      const part = a.part + <usize>rowOf(a.partMap, partFirst, i) * a.rowBytes;
      if (base) addLine(out, base, part, a.rowBytes);
      else copy(out, part, a.rowBytes);
    } else if (!base) {
      zero(out, a.rowBytes);
    } else if (base != out) {
      copy(out, base, a.rowBytes);
    }
  }
}

/** A window of every map: top left at origin[0]·strideY + offsetY, origin[1]·strideX + offsetX. */
@unmanaged
class Window {
  origin: usize; // where the two int32 are read
  strideY: i32;
  strideX: i32;
  offsetY: i32;
  offsetX: i32;
  images: i32;
  channels: i32;
  height: i32; // of the map
  width: i32;
  windowHeight: i32;
  windowWidth: i32;
}

/** origin·stride + offset. That far outside of any map is as good as farther away, which 32 bits could not hold. */
function corner(origin: i32, stride: i32, offset: i32): i32 {
  const at = <i64>origin * <i64>stride + <i64>offset;
  return <i32>min<i64>(max<i64>(at, -(1 << 30)), 1 << 30);
}

@unmanaged
class Crop extends Window {
  x: usize;
  xMap: usize;
  out: usize;
  outMap: usize;
}

export function crop(args: usize, thread: i32, threads: i32): void {
  const c = changetype<Crop>(args);
  const top = corner(load<i32>(c.origin), c.strideY, c.offsetY);
  const left = corner(load<i32>(c.origin, 4), c.strideX, c.offsetX);
  const xFirst = mapFirst(c.xMap);
  const outFirst = mapFirst(c.outMap);
  const pixel = c.channels * 4;
  const end = share(c.images, thread + 1, threads);
  for (let n = share(c.images, thread, threads); n < end; n++) {
    copyWindow(
      c.out + <usize>rowOf(c.outMap, outFirst, n) * (c.windowHeight * c.windowWidth * pixel),
      c.x + <usize>rowOf(c.xMap, xFirst, n) * (c.height * c.width * pixel),
      pixel, c.channels, c.height, c.width, top, c.windowHeight, left, c.windowWidth,
    );
  }
}

/** out = base with part added at the window. base may be 0 (zeros), or `out` itself. */
@unmanaged
class AddCrop extends Window {
  base: usize;
  baseMap: usize;
  part: usize;
  partMap: usize;
  out: usize;
  outMap: usize;
}

export function addCrop(args: usize, thread: i32, threads: i32): void {
  const c = changetype<AddCrop>(args);
  const top = corner(load<i32>(c.origin), c.strideY, c.offsetY);
  const left = corner(load<i32>(c.origin, 4), c.strideX, c.offsetX);
  const baseFirst = mapFirst(c.baseMap);
  const partFirst = mapFirst(c.partMap);
  const outFirst = mapFirst(c.outMap);
  const pixel = c.channels * 4;
  const bytes = c.height * c.width * pixel;
  const firstCol = max(0, -left);
  const lastCol = min(c.windowWidth, c.width - left);
  const end = share(c.images, thread + 1, threads);
  for (let n = share(c.images, thread, threads); n < end; n++) {
    const out = c.out + <usize>rowOf(c.outMap, outFirst, n) * bytes;
    const base = c.base ? c.base + <usize>rowOf(c.baseMap, baseFirst, n) * bytes : 0;
    if (!base) zero(out, bytes);
    else if (base != out) copy(out, base, bytes);
    if (firstCol >= lastCol) continue;
    const part = c.part + <usize>rowOf(c.partMap, partFirst, n) * (c.windowHeight * c.windowWidth * pixel);
    for (let r = max(0, -top); r < min(c.windowHeight, c.height - top); r++) {
      const to = out + ((top + r) * c.width + left + firstCol) * pixel;
      addLine(to, to, part + (r * c.windowWidth + firstCol) * pixel, (lastCol - firstCol) * pixel);
    }
  }
}

/** x += part / divisor (by channel) at the window; what was there goes to `kept`. Without a part it is put back. */
@unmanaged
class Patch extends Window {
  x: usize;
  xMap: usize;
  part: usize;
  partMap: usize;
  divisor: usize;
  kept: usize; // [images][windowHeight][windowWidth][channels]
}

export function patch(args: usize, thread: i32, threads: i32): void {
  const c = changetype<Patch>(args);
  const top = corner(load<i32>(c.origin), c.strideY, c.offsetY);
  const left = corner(load<i32>(c.origin, 4), c.strideX, c.offsetX);
  const xFirst = mapFirst(c.xMap);
  const partFirst = mapFirst(c.partMap);
  const pixel = c.channels * 4;
  const windowBytes = c.windowHeight * c.windowWidth * pixel;
  const firstCol = max(0, -left);
  const lastCol = min(c.windowWidth, c.width - left);
  const end = share(c.images, thread + 1, threads);
  for (let n = share(c.images, thread, threads); n < end; n++) {
    const x = c.x + <usize>rowOf(c.xMap, xFirst, n) * (c.height * c.width * pixel);
    const part = c.part ? c.part + <usize>rowOf(c.partMap, partFirst, n) * windowBytes : 0;
    const kept = c.kept + n * windowBytes;
    for (let r = max(0, -top); r < min(c.windowHeight, c.height - top); r++) {
      for (let col = firstCol; col < lastCol; col++) {
        const to = x + ((top + r) * c.width + left + col) * pixel;
        const offset = (r * c.windowWidth + col) * pixel;
        if (!part) {
          copy(to, kept + offset, pixel);
          continue;
        }
        copy(kept + offset, to, pixel);
        addQuotient(to, part + offset, c.divisor, pixel);
      }
    }
  }
}

function addQuotient(to: usize, part: usize, divisor: usize, bytes: i32): void {
  let i = 0;
  for (; i <= bytes - 16; i += 16) {
    v128.store(to + i, f32x4.add(v128.load(to + i), f32x4.div(v128.load(part + i), v128.load(divisor + i))));
  }
  for (; i < bytes; i += 4) f32.store(to + i, f32.load(to + i) + f32.load(part + i) / f32.load(divisor + i));
}
