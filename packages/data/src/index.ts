// Data sets from disk, an embedded one, shuffling and augmentation.
export {};
