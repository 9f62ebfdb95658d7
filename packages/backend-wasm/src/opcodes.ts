// Numbers of the instructions that a plan is made of. Read by the planner and by the AssemblyScript engine.

export const OP_PACK = 1;
export const OP_PACK_INPUT_GRAD = 2;
export const OP_CONV = 3;
export const OP_CONV_INPUT_GRAD = 4;
export const OP_CONV_WEIGHT_GRAD = 5;
export const OP_MATMUL = 6;
export const OP_COMBINE = 7;
export const OP_ELEMENTWISE = 8;
export const OP_SUM_ROWS = 9;
export const OP_SUM_PARTIAL = 10;
export const OP_MOMENTS_PARTIAL = 11;
export const OP_MOMENTS_COMBINE = 12;
export const OP_NORMALIZE = 13;
export const OP_GRAD_SUMS_PARTIAL = 14;
export const OP_NORMALIZE_INPUT_GRAD = 15;
export const OP_ADD_ROWS = 16;
export const OP_CROP = 17;
export const OP_ADD_CROP = 18;
export const OP_CROSS_ENTROPY = 19;
export const OP_CROSS_ENTROPY_GRAD = 20;
export const OP_FILL = 21;
export const OP_PACK_WINOGRAD = 22;
export const OP_CONV_WINOGRAD = 23;
export const OP_CONV_WINOGRAD_WEIGHT_GRAD = 24;
export const OP_COMBINE_WINOGRAD = 25;
export const OP_MAX_POOL = 26;
export const OP_MAX_POOL_GRAD = 27;
export const OP_PATCH = 28;
export const OP_SCALE_WINOGRAD = 29;

// Who executes an instruction.
/** Each thread its share. */
export const SHARED = 0;
/** The first thread alone: too little to divide. */
export const SINGLE = 1;
/** Each thread all of it, so that none has to wait for another; all write the same bytes to the same place. */
export const EACH = 2;

// What an element-wise instruction computes.
export const EW_COPY = 0;
export const EW_ADD = 1;
export const EW_SUBTRACT = 2;
export const EW_MULTIPLY = 3;
export const EW_DIVIDE = 4;
export const EW_SQRT = 5;
export const EW_RELU = 6;
export const EW_RELU_GRAD = 7;
export const EW_DIVISOR = 8;
/** a + b·c and a − b·c. */
export const EW_ADD_PRODUCT = 9;
export const EW_SUBTRACT_PRODUCT = 10;
