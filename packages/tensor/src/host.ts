// Values on the host: ndarrays and typed arrays in and out.

import ndarray, { type NdArray } from "ndarray";
import { type DType, type Shape, sameShape, showShape, sizeOf } from "./shape.ts";

/** Typed arrays that hold a tensor's elements. */
export type Values = Float32Array | Float64Array | Int32Array;

/** What can be fed: elements in row-major order, or an ndarray of any strides. */
export type HostValue = ArrayLike<number> | NdArray<Values>;

/** A row-major ndarray over `values`, without a copy. */
export function toNdArray<V extends Values>(values: V, shape: Shape): NdArray<V> {
  return ndarray(values, [...shape]) as NdArray<V>;
}

function isNdArray(value: HostValue): value is NdArray<Values> {
  return "stride" in value && "data" in value && "shape" in value;
}

/**
 * The elements of `value` in row-major order.
 * @throws RangeError when it does not have the shape; TypeError when an int32 element is not a whole number.
 */
export function elementsOf(
  where: string,
  value: HostValue,
  shape: Shape,
  dtype: DType = "float32",
): ArrayLike<number> {
  const elements = isNdArray(value) ? flatten(where, value, shape) : value;
  if (elements.length !== sizeOf(shape)) {
    throw new RangeError(
      `${where}: ${elements.length} values were given; shape ${showShape(shape)} holds ${sizeOf(shape)}`,
    );
  }
  if (dtype === "int32" && !(elements instanceof Int32Array)) {
    for (let i = 0; i < elements.length; i++) {
      if (!Number.isInteger(elements[i])) {
        throw new TypeError(`${where}: value ${elements[i]} at ${i} is not a whole number`);
      }
    }
  }
  return elements;
}

function flatten(where: string, array: NdArray<Values>, shape: Shape): ArrayLike<number> {
  if (!sameShape(array.shape, shape)) {
    throw new RangeError(
      `${where}: the ndarray is ${showShape(array.shape)}; it must be ${showShape(shape)}`,
    );
  }
  const { data, stride, offset } = array;
  let plain = 1;
  let contiguous = true;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    contiguous &&= stride[axis] === plain || shape[axis] === 1;
    plain *= shape[axis] as number;
  }
  if (contiguous) return data.subarray(offset, offset + plain);
  const elements = data.slice(0, 0).constructor as new (length: number) => Values;
  const out = new elements(plain);
  const position = shape.map(() => 0);
  let from = offset;
  for (let i = 0; i < plain; i++) {
    out[i] = data[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis] = (position[axis] as number) + 1;
      from += stride[axis] as number;
      if ((position[axis] as number) < (shape[axis] as number)) break;
      from -= (position[axis] as number) * (stride[axis] as number);
      position[axis] = 0;
    }
  }
  return out;
}
