// Emulated GPUs are slow: what takes minutes is tested when it is asked for.

/** Why a long test is left out, unless FEWNORM_GPU=all asks for all of them. */
export const whyNotAll: string | undefined =
  process.env.FEWNORM_GPU === "all"
    ? undefined
    : "takes minutes on an emulated GPU; FEWNORM_GPU=all tests it";
