// WebGPU: the browser's, or in Node that of the package `webgpu`, set up before and taken down after use.

import { createDawn } from "./dawn.ts";
import { gpuJs } from "./gpu-js.ts";
import { storeLanes } from "./kernel/lanes.ts";
import { enlargeWorkgroups } from "./kernel/workgroups.ts";
import { describeError, type Engine, isEmulation, webGpuKernels } from "./modes.ts";

/** What is used of WebGPU here. */
interface Adapter {
  requestDevice(settings?: { readonly requiredLimits?: Partial<Limits> }): Promise<Device>;
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly limits: Limits;
}

interface Limits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
}

interface Device {
  createShaderModule(settings: { readonly code: string }): unknown;
  readonly limits: Limits;
  readonly lost: Promise<{ readonly message: string; readonly reason: string }>;
  onuncapturederror: ((event: { readonly error: { readonly message: string } }) => void) | null;
}

interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}

interface Navigator {
  gpu?: Gpu;
}

const host = globalThis as { navigator?: Navigator };

/** gpu.js has one device for all; it, and what was set up for it in Node, goes when nobody uses it any more. */
let users = 0;
let takeDown: (() => void) | undefined;

export async function openWebGpu(): Promise<Engine> {
  users++;
  try {
    return await open();
  } catch (error) {
    await release();
    throw error;
  }
}

async function open(): Promise<Engine> {
  const gpu = host.navigator?.gpu ?? (await installWebGpu());
  const adapter = await gpu.requestAdapter();
  if (adapter === null) {
    throw new Error(
      "WebGPU is there, but no adapter; a GPU with a driver for Vulkan, Metal or Direct3D 12 is needed",
    );
  }
  const { vendor, architecture, device: id, description } = adapter.info;
  const name =
    description || [vendor, architecture, id].filter((word) => word !== "").join(" ") || "unnamed";
  const device = await acquireDevice(gpu, adapter.limits);
  let lost: string | undefined;
  let failure: string | undefined;
  device.lost.then(({ message, reason }) => {
    lost = message || reason;
  });
  // An invalid buffer or kernel is reported so alone; its results would be zeros.
  const hear = (message: string) => {
    failure ??= message.split("\n").find((line) => line !== "") ?? "unnamed";
  };
  const listeners = listenersOf(device);
  listeners.add(hear);
  const instance = new gpuJs.GPU({ mode: "webgpu" });
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  let closed = false;
  const lossError = () =>
    new Error(
      `run: the GPU device ${name} was lost${lost === undefined ? "" : ` (${lost})`}; values that it held are gone: create a backend anew, this one or another, and go on from the last checkpoint`,
    );
  return {
    mode: "webgpu",
    gpu: instance,
    description: `webgpu, ${name}`,
    adapter: name,
    emulated: adapter.info.isFallbackAdapter === true || isEmulation(`${name} ${architecture}`),
    maxTensorBytes: Math.min(MAX_TENSOR_BYTES, maxStorageBufferBindingSize, maxBufferSize),
    threads: 1,
    kernels: {
      ...webGpuKernels,
      // One more holds the result.
      mostArrays: Math.min(device.limits.maxStorageBuffersPerShaderStage, MOST_BUFFERS) - 1,
    },
    explain(error) {
      // What the device has reported besides is of the same cause.
      const reported = failure;
      failure = undefined;
      const { message } = error as Error;
      if (lost !== undefined || /device (was|is) (lost|destroyed)/i.test(message)) {
        return lossError();
      }
      if (message.startsWith("run: ")) return error as Error;
      return describeError(message === "" && reported !== undefined ? reported : error, "webgpu");
    },
    checkDevice() {
      if (lost !== undefined) throw lossError();
      if (failure === undefined) return;
      const message = failure;
      failure = undefined;
      throw new Error(`run: the GPU device ${name} reported an error: ${message}`);
    },
    async close() {
      if (closed) return;
      closed = true;
      listeners.delete(hear);
      await instance.destroy();
      await release();
    },
  };
}

/** Where elements are larger in number than a float32 counts, their indices are integers. */
const MAX_TENSOR_BYTES = 2 ** 30;

/** Arrays that a kernel of a step would make use of, its result included. */
const MOST_BUFFERS = 12;

type Listener = (message: string) => void;

/** Who hears of a device's errors, all of those that use it: nobody knows whose fault one is. */
const allListeners = new WeakMap<Device, Set<Listener>>();

function listenersOf(device: Device): Set<Listener> {
  const known = allListeners.get(device) ?? new Set();
  allListeners.set(device, known);
  device.onuncapturederror = ({ error }) => {
    for (const hear of known) hear(error.message);
  };
  return known;
}

/** One acquisition at a time: each puts something in the place of what it asks. */
let acquiring: Promise<unknown> = Promise.resolve();

function acquireDevice(gpu: Gpu, limits: Limits): Promise<Device> {
  const acquired = acquiring.then(() => acquireNow(gpu, limits));
  acquiring = acquired.catch(() => {});
  return acquired;
}

/** gpu.js's device. gpu.js asks for no more storage buffers than the eight that every device has. */
async function acquireNow(gpu: Gpu, limits: Limits): Promise<Device> {
  const maxStorageBuffersPerShaderStage = Math.min(
    limits.maxStorageBuffersPerShaderStage,
    MOST_BUFFERS,
  );
  const before = Object.getOwnPropertyDescriptor(gpu, "requestAdapter");
  const request = gpu.requestAdapter.bind(gpu);
  const requestAdapter = async () => {
    const adapter = await request();
    const requestDevice = adapter?.requestDevice.bind(adapter);
    if (adapter !== null && requestDevice !== undefined) {
      adapter.requestDevice = ({ requiredLimits, ...others } = {}) =>
        requestDevice({
          ...others,
          requiredLimits: { ...requiredLimits, maxStorageBuffersPerShaderStage },
        });
    }
    return adapter;
  };
  Object.defineProperty(gpu, "requestAdapter", { value: requestAdapter, configurable: true });
  try {
    const { device } = (await gpuJs.WebGPUContext.acquire()) as { readonly device: Device };
    changeTexts(device);
    return device;
  } finally {
    if (before === undefined) Reflect.deleteProperty(gpu, "requestAdapter");
    else Object.defineProperty(gpu, "requestAdapter", before);
  }
}

/** Devices that change kernels' texts. gpu.js has one for all backends. */
const prepared = new WeakSet<Device>();

function changeTexts(device: Device): void {
  if (prepared.has(device)) return;
  prepared.add(device);
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (settings) =>
    create({ ...settings, code: enlargeWorkgroups(storeLanes(settings.code)) });
}

async function release(): Promise<void> {
  users--;
  if (users > 0) return;
  await gpuJs.WebGPUContext.destroy();
  takeDown?.();
  takeDown = undefined;
}

/** In Node: the package `webgpu`, where gpu.js looks for it. Left there, it would keep the process from ending. */
async function installWebGpu(): Promise<Gpu> {
  const gpu = (await createDawn()) as Gpu;
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const { navigator } = host;
  if (navigator === undefined) {
    Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
    takeDown = () => Reflect.deleteProperty(globalThis, "navigator");
  } else {
    Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
    takeDown = () => {
      Reflect.deleteProperty(navigator, "gpu");
      if (before !== undefined) Object.defineProperty(globalThis, "navigator", before);
    };
  }
  return gpu;
}
