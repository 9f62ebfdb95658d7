// Model zoo: the CIFAR ResNets.
export {};
