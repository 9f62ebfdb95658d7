// Values on the host: ndarrays and typed arrays in and out.

import ndarray, { type NdArray, type TypedArray } from "ndarray";
import { checkIntegers } from "./integers.ts";
import { type DType, type Shape, sameShape, showShape, sizeOf } from "./shape.ts";

/** Typed arrays that hold a tensor's elements. */
export type Values = Float32Array | Float64Array | Int32Array;

/** An ndarray of numbers, of any kind and any strides. */
export type HostArray = NdArray<TypedArray | number[]>;

/** What can be fed: elements in row-major order, or an ndarray. */
export type HostValue = ArrayLike<number> | HostArray;

/** A row-major ndarray over `values`, without a copy. */
export function toNdArray<V extends Values>(values: V, shape: Shape): NdArray<V> {
  return ndarray(values, [...shape]) as NdArray<V>;
}

function isNdArray(value: HostValue): value is HostArray {
  return "stride" in value && "data" in value && "shape" in value;
}

/**
 * The elements of `value` in row-major order.
 * @throws RangeError when it does not have the shape; TypeError when it is no array, or an int32 element
 * is not a whole number of 32 bits.
 */
export function elementsOf(
  where: string,
  value: HostValue,
  shape: Shape,
  dtype: DType = "float32",
): ArrayLike<number> {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`${where}: ${value} is not an array; give an array or an ndarray`);
  }
  if (value instanceof Promise)
    throw new TypeError(`${where}: a promise is not an array; await it`);
  if (!isNdArray(value) && !Number.isInteger(value.length)) {
    throw new TypeError(`${where}: another object is not an array; give an array or an ndarray`);
  }
  const elements = isNdArray(value) ? flatten(where, value, shape) : value;
  if (elements.length !== sizeOf(shape)) {
    throw new RangeError(
      `${where}: ${elements.length} values were given; shape ${showShape(shape)} holds ${sizeOf(shape)}`,
    );
  }
  if (dtype === "int32") checkIntegers(where, elements);
  return elements;
}

function flatten(where: string, array: HostArray, shape: Shape): ArrayLike<number> {
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
  if (contiguous && !Array.isArray(data)) return data.subarray(offset, offset + plain);
  const elements = data.constructor as new (length: number) => typeof data;
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
