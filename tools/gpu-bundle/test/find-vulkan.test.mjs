import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "tape";
import { findVulkan } from "../src/bundle/find-vulkan.mjs";

const driver = (/** @type {string} */ library) =>
  JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library } });

const lib = "/usr/lib/x86_64-linux-gnu";
const icd = "/usr/share/vulkan/icd.d";
const loader = { [`${lib}/libvulkan.so.1`]: "" };

/**
 * What is found on a machine that has these files.
 * @param {Record<string, string>} files @param {Record<string, string>} [env]
 */
function findOn(files, env = {}) {
  const root = mkdtempSync(join(tmpdir(), "find-vulkan-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return findVulkan({ env, root, ownLoader: join(root, "bundle/lib") });
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("findVulkan takes the drivers whose library is there, those of GPUs before others", async (t) => {
  const files = {
    ...loader,
    [`${icd}/lvp_icd.x86_64.json`]: driver("libvulkan_lvp.so"),
    [`${lib}/libvulkan_lvp.so`]: "",
    [`${icd}/radeon_icd.x86_64.json`]: driver("../../../lib/libvulkan_radeon.so"),
    "/usr/lib/libvulkan_radeon.so": "",
    [`${icd}/radeon_icd.i686.json`]: driver("libvulkan_radeon.so"),
    [`${icd}/intel_icd.x86_64.json`]: driver("libvulkan_intel.so"),
  };
  const found = findOn({ ...files, "/dev/dri/card0": "" });
  t.deepEqual(found.drivers, [`${icd}/radeon_icd.x86_64.json`]);
  t.deepEqual(found.libraryPath, [lib]);
  t.match(
    found.notes.join(),
    /intel_icd.*left out, since its library libvulkan_intel.so is missing/,
  );
  const alone = findOn(files);
  t.deepEqual(alone.drivers, [`${icd}/lvp_icd.x86_64.json`], "without a GPU");
  t.match(alone.notes.join(), /radeon_icd.x86_64.json is left out, since there is no \/dev\/dri/);
});

const nvidiaFolder = "/usr/local/nvidia/lib64";
const glx = { [`${nvidiaFolder}/libGLX_nvidia.so.0`]: "" };
const egl = { [`${nvidiaFolder}/libEGL_nvidia.so.0`]: "" };
const x11 = { [`${lib}/libX11.so.6`]: "" };
const nvidiaIcd = `${icd}/nvidia_icd.json`;
const described = { [nvidiaIcd]: driver("libGLX_nvidia.so.0") };

test("findVulkan describes NVIDIA's driver where nobody has", async (t) => {
  for (const rest of [{}, x11]) {
    const { drivers, description, libraryPath } = findOn({ ...loader, ...glx, ...egl, ...rest });
    t.deepEqual(drivers, []);
    t.equal(description?.ICD.library_path, "libEGL_nvidia.so.0", "the one that needs no X11");
    t.ok(libraryPath.includes(nvidiaFolder), "in a folder that the linker does not know");
  }
  t.equal(findOn({ ...loader, ...glx }).description?.ICD.library_path, "libGLX_nvidia.so.0");
});

test("findVulkan describes NVIDIA's driver anew, as the one that needs no X11, once for each GPU", async (t) => {
  const files = { ...loader, ...glx, ...egl, ...x11, ...described };
  const found = findOn({ ...files, [`${icd}/nvidia_egl.json`]: driver("libEGL_nvidia.so.0") });
  t.equal(found.description?.ICD.library_path, "libEGL_nvidia.so.0");
  t.deepEqual(found.drivers, []);
  t.ok(found.libraryPath.includes(nvidiaFolder));

  const radeon = `${icd}/radeon_icd.x86_64.json`;
  const two = findOn({
    ...files,
    "/dev/dri/card0": "",
    [radeon]: driver("libvulkan_radeon.so"),
    [`${lib}/libvulkan_radeon.so`]: "",
  });
  t.deepEqual(two.drivers, [radeon], "another GPU's driver stays");
  t.equal(two.description?.ICD.library_path, "libEGL_nvidia.so.0");

  const old = findOn({ ...loader, ...glx, ...described });
  t.deepEqual(old.drivers, [nvidiaIcd], "without libEGL_nvidia, what is described");
  t.equal(old.description, undefined);

  const named = findOn(files, { VK_DRIVER_FILES: nvidiaIcd });
  t.deepEqual(named.drivers, [nvidiaIcd], "what the user names");
  t.equal(named.description, undefined);
});

test("findVulkan takes the drivers that variables name, or says that they are missing", async (t) => {
  const files = {
    ...loader,
    "/opt/mine.json": driver("/opt/libmine.so"),
    "/opt/libmine.so": "",
    [`${icd}/other.json`]: driver("/opt/libmine.so"),
  };
  t.deepEqual(findOn(files, { VK_DRIVER_FILES: "/opt/mine.json" }).drivers, ["/opt/mine.json"]);
  t.match(
    findOn(files, { VK_ICD_FILENAMES: "/opt/none.json" }).problem ?? "",
    /VK_ICD_FILENAMES names \/opt\/none.json, which is missing/,
  );
});

test("findVulkan says what is missing and what to do", async (t) => {
  t.match(findOn({}).problem ?? "", /libvulkan.so.1, the Vulkan loader, is missing.*install/);
  const own = findOn({ "/bundle/lib/libvulkan.so.1": "", "/dev/nvidiactl": "" });
  t.match(own.notes.join(), /the bundle's own is used/);
  t.match(own.problem ?? "", /NVIDIA GPU is there, but .*NVIDIA_DRIVER_CAPABILITIES=all/);
  t.match(findOn({ ...loader, "/dev/dri/card0": "" }).problem ?? "", /mesa-vulkan-drivers/);
  t.match(findOn(loader).problem ?? "", /there is no GPU.*--gpus all/);
});

test("findVulkan falls back on a browser's emulation, and says so", async (t) => {
  const file = "/usr/lib/chromium/vk_swiftshader_icd.json";
  const found = findOn({
    ...loader,
    [file]: driver("./libvk_swiftshader.so"),
    "/usr/lib/chromium/libvk_swiftshader.so": "",
  });
  t.deepEqual(found.drivers, [file]);
  t.match(found.notes.join(), /no GPU's driver was found, only what runs on the processor/);
});
