// The interpreter: runs a plan's instructions, each thread its share, and waits where the plan says so.

import {
  OP_ADD_CROP, OP_ADD_ROWS, OP_COMBINE, OP_CONV, OP_CONV_INPUT_GRAD, OP_CONV_WEIGHT_GRAD, OP_CROP,
  OP_CROSS_ENTROPY, OP_CROSS_ENTROPY_GRAD, OP_ELEMENTWISE, OP_FILL, OP_GRAD_SUMS_PARTIAL, OP_MATMUL,
  OP_MOMENTS_COMBINE, OP_MOMENTS_PARTIAL, OP_NORMALIZE, OP_NORMALIZE_INPUT_GRAD, OP_PACK,
  OP_PACK_INPUT_GRAD, OP_SUM_PARTIAL, OP_SUM_ROWS, OP_PACK_WINOGRAD, OP_SCALE_WINOGRAD, OP_CONV_WINOGRAD,
  OP_CONV_WINOGRAD_WEIGHT_GRAD, OP_COMBINE_WINOGRAD, OP_MAX_POOL, OP_MAX_POOL_GRAD, OP_PATCH,
} from "../src/opcodes";
import { convolve, matmul } from "./convolve";
import { convolveInputGrad } from "./convolve-input-grad";
import { convolveWeightGrad } from "./convolve-weight-grad";
import { elementwise, fill } from "./elementwise";
import { crossEntropy, crossEntropyGrad } from "./loss";
import { momentsCombine, momentsPartial } from "./moments";
import { gradSumsPartial, normalize, normalizeInputGrad } from "./normalize";
import { pack, packInputGrad } from "./pack";
import { maxPool, maxPoolGrad } from "./pooling";
import { addCrop, addRows, crop, patch } from "./regions";
import { combine, sumPartial, sumRows } from "./sums";
import { advance, awaitOthers, begin, done } from "./sync";
import { convolveWinograd } from "./winograd";
import { packWinograd, scaleWinograd } from "./winograd-pack";
import { combineWinograd, convolveWinogradWeightGrad } from "./winograd-weight-grad";

/** An instruction of a plan. */
@unmanaged
class Instruction {
  op: i32;
  wait: i32; // how many of the plan's instructions all threads must have done before
  args: usize;
}

/**
 * Runs instructions from … from + count − 1 of a plan as `thread` of `threads`, and returns when all threads have
 * finished. `control` is where they meet.
 */
export function run(plan: usize, from: i32, count: i32, thread: i32, threads: i32, control: usize): void {
  const base = done(control, thread) - from;
  const end = from + count;
  for (let i = from; i < end; i++) {
    const instruction = changetype<Instruction>(plan + i * offsetof<Instruction>());
    if (threads > 1 && instruction.wait > from) awaitOthers(control, thread, threads, base + instruction.wait);
    begin(control, base + i + 1);
    execute(instruction.op, instruction.args, thread, threads);
    if (threads > 1) advance(control, thread, threads, base + i + 1);
  }
  if (threads > 1) awaitOthers(control, thread, threads, base + end);
}

function execute(op: i32, args: usize, thread: i32, threads: i32): void {
  switch (op) {
    case OP_PACK: pack(args, thread, threads); break;
    case OP_PACK_INPUT_GRAD: packInputGrad(args, thread, threads); break;
    case OP_CONV: convolve(args, thread, threads); break;
    case OP_CONV_INPUT_GRAD: convolveInputGrad(args, thread, threads); break;
    case OP_CONV_WEIGHT_GRAD: convolveWeightGrad(args, thread, threads); break;
    case OP_MATMUL: matmul(args, thread, threads); break;
    case OP_COMBINE: combine(args, thread, threads); break;
    case OP_ELEMENTWISE: elementwise(args, thread, threads); break;
    case OP_SUM_ROWS: sumRows(args, thread, threads); break;
    case OP_SUM_PARTIAL: sumPartial(args, thread, threads); break;
    case OP_MOMENTS_PARTIAL: momentsPartial(args, thread, threads); break;
    case OP_MOMENTS_COMBINE: momentsCombine(args); break;
    case OP_NORMALIZE: normalize(args, thread, threads); break;
    case OP_GRAD_SUMS_PARTIAL: gradSumsPartial(args, thread, threads); break;
    case OP_NORMALIZE_INPUT_GRAD: normalizeInputGrad(args, thread, threads); break;
    case OP_ADD_ROWS: addRows(args, thread, threads); break;
    case OP_CROP: crop(args, thread, threads); break;
    case OP_ADD_CROP: addCrop(args, thread, threads); break;
    case OP_CROSS_ENTROPY: crossEntropy(args, thread, threads); break;
    case OP_CROSS_ENTROPY_GRAD: crossEntropyGrad(args, thread, threads); break;
    case OP_FILL: fill(args, thread, threads); break;
    case OP_PACK_WINOGRAD: packWinograd(args, thread, threads); break;
    case OP_SCALE_WINOGRAD: scaleWinograd(args, thread, threads); break;
    case OP_CONV_WINOGRAD: convolveWinograd(args, thread, threads); break;
    case OP_CONV_WINOGRAD_WEIGHT_GRAD: convolveWinogradWeightGrad(args, thread, threads); break;
    case OP_COMBINE_WINOGRAD: combineWinograd(args, thread, threads); break;
    case OP_MAX_POOL: maxPool(args, thread, threads); break;
    case OP_MAX_POOL_GRAD: maxPoolGrad(args, thread, threads); break;
    case OP_PATCH: patch(args, thread, threads); break;
    default: unreachable();
  }
}
