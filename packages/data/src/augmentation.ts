// The usual augmentation of small images (pad, crop, flip), its draws, and copying one image through it.
import { foldIn, type Key, randomBits } from "@fewnorm/tensor";

/** Which augmentation: He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2. */
export interface Augmentation {
  /** Black pixels added on every side, before a crop of the image's own size is drawn; 4 by default, 0 for none. */
  readonly pad?: number;
  /** Whether half of the images are mirrored, left to right; true by default. */
  readonly flip?: boolean;
}

/** What was drawn for one image: the crop's origin in the padded image, 0 … 2·pad, and whether it is mirrored. */
export interface Draw {
  top: number;
  left: number;
  flip: boolean;
}

/**
 * The draw of one image in one epoch: the (2·pad + 1)² origins are equally likely (to 2⁻³² · their number),
 * a flip has probability ½. Depends on nothing but its arguments, so an image gets the same draw at
 * whatever batch size, and a resumed run the same as an uninterrupted one.
 *
 * @param epochKey foldIn(key, epoch)
 * @param index the image's place in its split
 * @param out written and returned
 */
export function drawAugmentation(
  epochKey: Key,
  index: number,
  { pad = 4, flip = true }: Augmentation,
  out: Draw,
): Draw {
  const [place, side] = randomBits(foldIn(epochKey, index), 2) as unknown as [number, number];
  const extent = 2 * pad + 1;
  const origin = Math.floor((place * extent * extent) / 2 ** 32);
  out.top = Math.floor(origin / extent);
  out.left = origin % extent;
  out.flip = flip && side >= 2 ** 31;
  return out;
}

/**
 * table[256·c + v] = (v/255 − μ_c)/σ_c: every pixel value a channel can have, normalized. A channel whose
 * deviation is 0 is only centred.
 */
export function normalizationTable(
  mean: readonly number[],
  deviation: readonly number[],
): Float32Array {
  const table = new Float32Array(mean.length * 256);
  mean.forEach((μ, channel) => {
    const σ = deviation[channel] || 1;
    for (let value = 0; value < 256; value++) {
      table[channel * 256 + value] = (value / 255 - μ) / σ;
    }
  });
  return table;
}

/** Normalizes `length` = C·plane bytes from `begin` on into `out` from `outBegin` on. */
export function copyImage(
  images: Uint8Array,
  begin: number,
  table: Float32Array,
  channels: number,
  plane: number,
  out: Float32Array,
  outBegin: number,
): void {
  let to = outBegin;
  let from = begin;
  for (let base = 0; base < channels * 256; base += 256) {
    for (const end = from + plane; from < end; from++) {
      out[to++] = table[base + (images[from] as number)] as number;
    }
  }
}

/**
 * As `copyImage`, through `draw`: output (y, x) is pixel (y + top − pad, x + left − pad) of the image, black
 * outside, where x counts from the right in a mirrored image.
 */
export function copyAugmented(
  images: Uint8Array,
  begin: number,
  table: Float32Array,
  [channels, height, width]: readonly [number, number, number],
  draw: Draw,
  pad: number,
  out: Float32Array,
  outBegin: number,
): void {
  const down = draw.top - pad;
  const right = draw.left - pad;
  // The columns [first, last) of the crop lie inside the image.
  const first = Math.max(0, -right);
  const last = Math.min(width, width - right);
  const step = draw.flip ? -1 : 1;
  for (let channel = 0; channel < channels; channel++) {
    const base = channel * 256;
    const black = table[base] as number;
    const plane = begin + channel * height * width;
    for (let y = 0; y < height; y++) {
      const row = outBegin + (channel * height + y) * width;
      const source = y + down;
      if (source < 0 || source >= height) {
        out.fill(black, row, row + width);
        continue;
      }
      if (last - first < width) out.fill(black, row, row + width);
      let to = row + (draw.flip ? width - 1 - first : first);
      const from = plane + source * width + right;
      for (let i = from + first; i < from + last; i++) {
        out[to] = table[base + (images[i] as number)] as number;
        to += step;
      }
    }
  }
}
