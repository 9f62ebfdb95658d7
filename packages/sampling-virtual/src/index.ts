// Virtual dataset normalization: statistics from a few synthetic images.
export {};
