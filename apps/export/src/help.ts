// The text of --help.

export const help = `Writes a trained model as an ONNX file, for inference elsewhere.

Usage: pnpm export --init FILE --onnx FILE [options]

  --init FILE       the weights: safetensors, such as what pnpm train --save wrote, a PyTorch state
                    dict, a checkpoint (with train --ema its averages, which the training tests),
                    or the folder of a training, for its newest checkpoint
  --onnx FILE       the file to write
  --newest          takes a checkpoint's newest weights although it has averages
  --fold-norms      multiplies normalization into the convolutions before it
  --batch N         images of a run (default: any number)

What --init does not say itself, as a file of PyTorch does not:
  --model NAME      the model, e.g. resnet20
  --norm NAME       the normalization, e.g. bn (the default); pnpm train --help lists both
  --shape CxHxW     of an image, e.g. 3x32x32
  --classes N       what the model tells apart

The file's input is images [N, C, H, W], float32, standardized as in training; its output is
logits [N, classes].

Examples
  pnpm train --epochs 3 --save model.safetensors
  pnpm export --init model.safetensors --onnx model.onnx --fold-norms

Exit status: 0 done; 1 something is wrong, and one line on stderr says what (with FEWNORM_DEBUG=1,
where); 2 the command line is wrong.
`;
