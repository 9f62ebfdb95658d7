// All suites, in the order in which they run.

import type { Suite } from "./suite.ts";
import { accuracy } from "./suites/accuracy.ts";
import { gpu } from "./suites/gpu.ts";
import { norm } from "./suites/norm.ts";
import { peers } from "./suites/peers.ts";
import { profile } from "./suites/profile.ts";
import { step } from "./suites/step.ts";

/** A new suite is a file in suites/ and its name here. */
export const suites: readonly Suite[] = [norm, step, accuracy, profile, peers, gpu];
