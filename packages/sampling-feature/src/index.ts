// Feature sampling: statistics from a patch of every feature map.
export {};
