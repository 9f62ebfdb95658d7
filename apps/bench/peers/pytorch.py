"""PyTorch on the CPU or on CUDA: training, inference and one layer, in both memory formats."""

import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    print(json.dumps({"missing": "pip install torch, or Debian's python3-torch"}))
    sys.exit()


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, normalized):
        super().__init__()
        norm = nn.BatchNorm2d if normalized else lambda channels: nn.Identity()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not normalized)
        self.bn1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, padding=1, bias=not normalized)
        self.bn2 = norm(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.added > 0:
            half = self.added // 2
            x = x[:, :, :: self.stride, :: self.stride]
            x = F.pad(x, (0, 0, 0, 0, half, self.added - half))
        return F.relu(y + x, inplace=True)


class ResNet(nn.Module):
    def __init__(self, tensors, normalized):
        super().__init__()
        channels, inputs = tensors["conv1.weight"].shape[:2]
        self.conv1 = nn.Conv2d(inputs, channels, 3, padding=1, bias=not normalized)
        self.bn1 = nn.BatchNorm2d(channels) if normalized else nn.Identity()
        for stage in (1, 2, 3):
            blocks = []
            while f"layer{stage}.{len(blocks)}.conv1.weight" in tensors:
                outputs = tensors[f"layer{stage}.{len(blocks)}.conv1.weight"].shape[0]
                stride = 2 if stage > 1 and not blocks else 1
                blocks.append(Block(channels, outputs, stride, normalized))
                channels = outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, tensors["fc.bias"].shape[0])

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def read_tensors(job):
    with open(job["values"], "rb") as file:
        values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
    tensors = {}
    for tensor in job["tensors"]:
        count = 1
        for extent in tensor["shape"]:
            count *= extent
        part = values[tensor["offset"] : tensor["offset"] + count]
        tensors[tensor["name"]] = part.reshape(tensor["shape"]).clone()
    return tensors


CARD = "cuda"


class Setting:
    """What a setting's words ask for."""

    def __init__(self, text):
        words = text.split(", ")
        self.cuda = "CUDA" in words
        self.device = CARD if self.cuda else "cpu"
        last = "channels_last" in words
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.frozen = "frozen" in words
        self.graph = "graph" in words
        if self.cuda:
            torch.backends.cudnn.benchmark = True
            # Both are set: convolutions have TF32 on at first, products of matrices off.
            torch.backends.cudnn.allow_tf32 = "TF32" in words
            torch.backends.cuda.matmul.allow_tf32 = "TF32" in words

    def place(self, host):
        """The tensor where it is computed with, and what brings it there once more, as every step does."""
        if not self.cuda:
            return host, lambda: None
        pinned = host.pin_memory()
        placed = pinned.to(self.device, copy=True)
        return placed, lambda: placed.copy_(pinned, non_blocking=True)

    def prepare(self, work):
        """The work, as a CUDA graph if that is asked for; then it has been done, to warm up."""
        return captured(work) if self.graph else work

    def finish(self):
        if self.cuda:
            torch.cuda.synchronize()


def captured(work):
    """Does the work a few times, and returns what replays it: into the same tensors."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay():
        graph.replay()
        return result

    return replay


class Network:
    """The network as it was prepared, and what is asked of it."""

    def __init__(self, job, request):
        torch.set_num_threads(job["threads"])
        self.setting = setting = Setting(request["setting"])
        tensors = read_tensors(job)
        images = tensors.pop("images")[: request["batch"]].clone()
        labels = tensors.pop("labels")[: request["batch"]].long()
        self.images, self.feed_images = setting.place(images.to(memory_format=setting.layout))
        self.labels, self.feed_labels = setting.place(labels)
        self.model = ResNet(tensors, job["norm"] == "bn")
        state = {name: tensors.get(name, value) for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(state)
        self.model = self.model.to(setting.device, memory_format=setting.layout)
        self.training = request["work"] == "training"
        if not self.training:
            self.model.eval()
            if setting.frozen:
                with torch.no_grad():
                    traced = torch.jit.trace(self.model, self.images)
                    self.model = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
            self.work = setting.prepare(self.infer)
            return
        # A graph reads the learning rate from where it was when captured, which only the fused optimizer can.
        rate = torch.tensor(0.0, device=setting.device) if setting.graph else 0.0
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            rate,
            job["momentum"],
            weight_decay=job["weightDecay"],
            **({"fused": True} if setting.graph else {}),
        )
        self.model.train()
        self.work = setting.prepare(self.train)
        if setting.graph:
            # Warming up has moved running statistics and momentum; a momentum of 0 is as good as none.
            self.model.load_state_dict(state)
            for slots in self.optimizer.state.values():
                slots["momentum_buffer"].zero_()

    def infer(self):
        with torch.inference_mode():
            return self.model(self.images)

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def logits(self):
        if not self.training:
            return self.work().cpu()
        self.model.eval()
        return self.infer().cpu()

    def step(self, learning_rate):
        self.feed_images()
        if not self.training:
            self.logits()
            return
        self.feed_labels()
        self.model.train()
        group = self.optimizer.param_groups[0]
        if self.setting.graph:
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate
        self.work().item()


class Layer:
    """A normalization alone: forward in training mode, backward to its input and parameters."""

    def __init__(self, job, request):
        torch.set_num_threads(job["threads"])
        self.setting = setting = Setting(request["setting"])
        tensors = read_tensors(job)
        own = {"device": setting.device, "memory_format": setting.layout}
        self.images = tensors["images"].to(**own).requires_grad_(True)
        self.gradient = tensors["gradient"].to(**own)
        self.norm = nn.BatchNorm2d(self.images.shape[1])
        self.norm.load_state_dict({name: tensors[name] for name in ("weight", "bias")}, strict=False)
        self.norm.to(setting.device)
        self.work = setting.prepare(self.pass_both)

    def pass_both(self):
        self.images.grad = self.norm.weight.grad = self.norm.bias.grad = None
        result = self.norm(self.images)
        result.backward(self.gradient)
        return result

    def step(self, _):
        self.work()

    def logits(self):
        result = self.work().detach()
        root = (result.numel() / result.shape[1]) ** 0.5
        gradients = [self.norm.weight.grad / root, self.norm.bias.grad / root]
        firsts = [result, self.images.grad, *gradients]
        return torch.stack([tensor.flatten()[0] for tensor in firsts]).cpu()


LAYOUTS = ["channels_last", "NCHW"]


def greet_on_cpu():
    works = {
        "training": {"settings": LAYOUTS},
        "inference": {"settings": [*LAYOUTS, "channels_last, frozen", "NCHW, frozen"]},
        "layer": {"settings": LAYOUTS},
    }
    return {"name": f"PyTorch {torch.__version__}", "works": works}


def greet_on_gpu():
    if not torch.cuda.is_available():
        return {"missing": "PyTorch has no CUDA device here"}
    layouts = [f"CUDA, {layout}" for layout in LAYOUTS]
    precisions = [*layouts, *(f"{layout}, TF32" for layout in layouts)]
    network = {"settings": [*precisions, *(f"{words}, graph" for words in precisions)]}
    layer = {"settings": [*layouts, *(f"{words}, graph" for words in layouts)]}
    name = f"PyTorch {torch.__version__} ({torch.cuda.get_device_name()})"
    return {"name": name, "works": {"training": network, "inference": network, "layer": layer}}


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    greeting = greet_on_gpu() if job.get("device") == "gpu" else greet_on_cpu()
    print(json.dumps(greeting), flush=True)
    if "missing" in greeting:
        return
    network = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                built = Layer if request["work"] == "layer" else Network
                network, answer = built(job, request), {}
            elif request["do"] == "logits":
                answer = {"logits": network.logits().flatten().tolist()}
            else:
                began = time.perf_counter()
                network.step(request["learningRate"])
                network.setting.finish()
                answer = {"milliseconds": 1000 * (time.perf_counter() - began)}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
