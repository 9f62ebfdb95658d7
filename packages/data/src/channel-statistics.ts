// Mean and deviation of each channel of a set of images.

/**
 * μ_c = mean of x/255 and σ_c = √(mean of (x/255 − μ_c)²) over all pixels of channel c.
 * Computed from a histogram of the 256 values, so that all sums are exact whole numbers.
 *
 * @param images N·C·H·W bytes, NCHW, N ≥ 1
 * @param shape [C, H, W]
 */
export function channelStatistics(
  images: Uint8Array,
  [channels, height, width]: readonly [number, number, number],
): { mean: number[]; deviation: number[] } {
  const plane = height * width;
  const histogram = new Float64Array(channels * 256);
  for (let begin = 0, channel = 0; begin < images.length; begin += plane) {
    const base = channel * 256;
    for (let i = begin; i < begin + plane; i++) {
      const slot = base + (images[i] as number);
      histogram[slot] = (histogram[slot] as number) + 1;
    }
    channel = (channel + 1) % channels;
  }
  const mean: number[] = [];
  const deviation: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const counts = histogram.subarray(channel * 256, channel * 256 + 256);
    let total = 0;
    let sum = 0;
    counts.forEach((count, value) => {
      total += count;
      sum += count * value;
    });
    const μ = sum / total;
    let squares = 0;
    counts.forEach((count, value) => {
      squares += count * (value - μ) ** 2;
    });
    mean.push(μ / 255);
    deviation.push(Math.sqrt(squares / total) / 255);
  }
  return { mean, deviation };
}
