// The command that trains a model on a data set.
export {};
