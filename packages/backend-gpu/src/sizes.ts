// From which sizes on a kernel is cut in a way that pays for large ones only. Measured on an H100; see
// docs/decisions/0003-gpu.md.

export interface Sizes {
  /** Threads that keep the device busy: a convolution of fewer elements is cut by input channels. */
  readonly busyThreads: number;
  /** Taps of all channels of such a part, and pixels of a part of a weight gradient: with fewer there is little left to sum. */
  readonly fewestTaps: number;
  readonly fewestPixels: number;
  /** Elements of which a thread computes several: kernels of fewer take as long as one of their threads, whatever it does. */
  readonly laneElements: number;
  /** Threads that keep the device busy if each computes several elements. */
  readonly laneThreads: number;
  /** Threads that begin in large workgroups: fewer find room all at once. */
  readonly largeThreads: number;
}

/** Where few threads keep the device busy, and each computes one element. */
export const plainSizes: Sizes = {
  busyThreads: 0,
  fewestTaps: 64,
  fewestPixels: 112,
  laneElements: Number.POSITIVE_INFINITY,
  laneThreads: 2 ** 15,
  largeThreads: Number.POSITIVE_INFINITY,
};

export const webGpuSizes: Sizes = {
  ...plainSizes,
  busyThreads: 2 ** 17,
  laneElements: 2 ** 17,
  largeThreads: 2 ** 17,
};
