// Which Vulkan driver a Linux machine has, and where; or what is missing for one.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Where libraries lie: of distributions, containers, WSL and NixOS. */
const libraryFolders = [
  "/usr/lib/x86_64-linux-gnu",
  "/lib/x86_64-linux-gnu",
  "/usr/lib64",
  "/lib64",
  "/usr/lib",
  "/usr/local/lib/x86_64-linux-gnu",
  "/usr/local/lib",
  "/usr/local/nvidia/lib64",
  "/usr/local/nvidia/lib",
  "/usr/lib/x86_64-linux-gnu/nvidia/current",
  "/usr/lib/wsl/lib",
  "/run/opengl-driver/lib",
];

/** Where drivers' descriptions lie, below which there is vulkan/icd.d. */
const descriptionFolders = [
  "/etc",
  "/usr/local/etc",
  "/usr/share",
  "/usr/local/share",
  "/run/opengl-driver/share",
];

/** Browsers bring a driver of their own, which runs on the processor. */
const browserDescriptions = [
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/opt/google/chrome/vk_swiftshader_icd.json",
];

/** Drivers that run on the processor. */
const emulations = /lvp_icd|swiftshader/;

/** Mesa's drivers of GPUs that Linux shows in /dev/dri. One package installs them all, whatever there is. */
const needDri =
  /(intel|radeon|nouveau|virtio|asahi|broadcom|freedreno|panfrost|powervr|gfxstream)\w*_icd/;

/**
 * NVIDIA's driver, under two names. The first needs nothing of X11; the second, which installers describe, finds no GPU
 * where a library of X11 is missing, even if libX11 itself is there.
 */
const nvidia = ["libEGL_nvidia.so.0", "libGLX_nvidia.so.0"];

/**
 * @typedef {object} Found
 * @property {string[]} drivers descriptions of drivers whose library is there; of GPUs alone, if there are any
 * @property {{ file_format_version: string, ICD: { library_path: string, api_version: string } }} [description]
 *   of one more driver, NVIDIA's, which is described anew
 * @property {string[]} libraryPath folders of the loader and of drivers' libraries
 * @property {string} [problem] why there is no driver, and what to do
 * @property {string[]} notes what is amiss otherwise
 */

/**
 * @param {object} machine
 * @param {Readonly<Record<string, string | undefined>>} machine.env
 * @param {string} machine.ownLoader a folder that may hold a Vulkan loader
 * @param {string} [machine.root] what to take for /
 * @returns {Found}
 */
export function findVulkan({ env, ownLoader, root = "/" }) {
  const at = (/** @type {string} */ path) => join(root, path);
  const asked = split(env.LD_LIBRARY_PATH);
  const folders = [...asked, ...libraryFolders];
  const holds = (/** @type {string} */ library) =>
    folders.find((folder) => existsSync(at(`${folder}/${library}`)));
  /** @type {string[]} */
  const notes = [];
  const libraryPath = new Set();

  const loader = holds("libvulkan.so.1");
  if (loader !== undefined) libraryPath.add(loader);
  else if (existsSync(join(ownLoader, "libvulkan.so.1"))) {
    libraryPath.add(ownLoader);
    notes.push("this machine has no libvulkan.so.1, the Vulkan loader; the bundle's own is used");
  } else {
    const problem =
      "libvulkan.so.1, the Vulkan loader, is missing here and in the bundle; install it (Debian, Ubuntu: libvulkan1; Fedora: vulkan-loader), or make the bundle on a machine that has it";
    return { drivers: [], libraryPath: [], problem, notes };
  }
  const result = (/** @type {Partial<Found>} */ rest) => ({
    drivers: [],
    libraryPath: [...libraryPath],
    notes,
    ...rest,
  });

  /** Whether a description's library is there; says so if it is not. @param {string} file */
  const works = (file) => {
    const library = libraryOf(at(file));
    if (library === undefined) {
      notes.push(`${file} describes no driver for this processor`);
      return false;
    }
    if (library.includes("/")) {
      if (existsSync(at(resolve(dirname(file), library)))) return true;
    } else {
      const folder = holds(library);
      if (folder !== undefined) {
        libraryPath.add(folder);
        return true;
      }
    }
    notes.push(`the driver of ${file} is left out, since its library ${library} is missing`);
    return false;
  };

  const named = split(env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES);
  if (named.length > 0) {
    const missing = named.find((file) => !existsSync(at(file)));
    const problem =
      missing === undefined
        ? undefined
        : `${env.VK_DRIVER_FILES === undefined ? "VK_ICD_FILENAMES" : "VK_DRIVER_FILES"} names ${missing}, which is missing; name a driver's description, or unset it to have one looked for`;
    return result(problem === undefined ? { drivers: named.filter(works) } : { problem });
  }

  const data = [env.XDG_DATA_HOME, env.HOME && `${env.HOME}/.local/share`];
  const places = [
    ...descriptionFolders,
    ...[...split(env.XDG_CONFIG_DIRS), ...split(env.XDG_DATA_DIRS)],
    ...data.filter((folder) => folder !== undefined && folder !== ""),
  ];
  const files = [...new Set(places)].flatMap((place) => {
    const folder = `${place}/vulkan/icd.d`;
    if (!existsSync(at(folder))) return [];
    const names = readdirSync(at(folder)).filter((name) => name.endsWith(".json"));
    return names
      .filter((name) => !/i[3-6]86|aarch64|arm/.test(name))
      .map((name) => `${folder}/${name}`);
  });
  const dri = existsSync(at("/dev/dri"));
  const working = files.filter(works).filter((file) => {
    if (dri || !needDri.test(file)) return true;
    notes.push(
      `the driver of ${file} is left out, since there is no /dev/dri, where its GPU would be`,
    );
    return false;
  });
  const ofGpus = working.filter((file) => !emulations.test(file));
  const isNvidia = (/** @type {string} */ file) =>
    nvidia.includes(basename(libraryOf(at(file)) ?? ""));
  // One description for a GPU, or it would be listed twice.
  const others =
    holds("libEGL_nvidia.so.0") === undefined ? ofGpus : ofGpus.filter((file) => !isNvidia(file));
  if (ofGpus.length > 0 && others.length === ofGpus.length) return result({ drivers: ofGpus });

  // This is all that a description needs; containers often lack one.
  for (const library of nvidia) {
    const folder = holds(library);
    if (folder === undefined) continue;
    libraryPath.add(folder);
    return result({
      drivers: others,
      description: {
        file_format_version: "1.0.0",
        ICD: { library_path: library, api_version: "1.3.0" },
      },
    });
  }
  const onProcessor = [
    ...working,
    ...browserDescriptions.filter((file) => existsSync(at(file)) && works(file)),
  ];
  const problem = whyNone(at);
  if (onProcessor.length > 0) {
    notes.push(`no GPU's driver was found, only what runs on the processor: ${problem}`);
    return result({ drivers: onProcessor });
  }
  return result({ problem });
}

/** What to do to have a GPU's driver. @param {(path: string) => string} at */
function whyNone(at) {
  if (existsSync(at("/dev/nvidiactl")) || existsSync(at("/proc/driver/nvidia/version"))) {
    return "an NVIDIA GPU is there, but libGLX_nvidia.so.0 and libEGL_nvidia.so.0, its Vulkan driver, are not; in a container, set NVIDIA_DRIVER_CAPABILITIES=all; else install libnvidia-gl of the version that nvidia-smi shows";
  }
  if (existsSync(at("/dev/dri"))) {
    return "a GPU may be there (/dev/dri), but no driver for Vulkan; install it (Debian, Ubuntu: mesa-vulkan-drivers)";
  }
  return "there is no GPU: neither /dev/nvidiactl nor /dev/dri exists; in a container, hand the GPU in (docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all, or --device /dev/dri)";
}

/** @param {string} file @returns {string | undefined} */
function libraryOf(file) {
  try {
    const { ICD } = JSON.parse(readFileSync(file, "utf8"));
    return ICD.library_arch === "32" ? undefined : ICD.library_path;
  } catch {
    return undefined;
  }
}

/** @param {string | undefined} paths */
const split = (paths) => (paths ?? "").split(":").filter((path) => path !== "");
