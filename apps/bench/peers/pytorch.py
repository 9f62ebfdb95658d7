"""PyTorch on the CPU: training, inference and one layer, in both memory formats."""

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


class Network:
    """The network as it was prepared, and what is asked of it."""

    def __init__(self, job, request):
        torch.set_num_threads(job["threads"])
        tensors = read_tensors(job)
        images = tensors.pop("images")[: request["batch"]].clone()
        self.labels = tensors.pop("labels")[: request["batch"]].long()
        self.model = ResNet(tensors, job["norm"] == "bn")
        state = {name: tensors.get(name, value) for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(state)
        last = request["setting"].startswith("channels_last")
        layout = torch.channels_last if last else torch.contiguous_format
        self.model = self.model.to(memory_format=layout)
        self.images = images.to(memory_format=layout)
        self.training = request["work"] == "training"
        self.compiled = request["setting"].endswith("frozen")
        if self.compiled:
            with torch.no_grad():
                traced = torch.jit.trace(self.model.eval(), self.images)
                self.model = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        self.optimizer = self.training and torch.optim.SGD(
            self.model.parameters(), 0.0, job["momentum"], weight_decay=job["weightDecay"]
        )

    def logits(self):
        if not self.compiled:
            self.model.eval()
        with torch.inference_mode():
            return self.model(self.images)

    def step(self, learning_rate):
        if not self.training:
            self.logits()
            return
        self.model.train()
        self.optimizer.param_groups[0]["lr"] = learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        loss.item()


class Layer:
    """A normalization alone: forward in training mode, backward to its input and parameters."""

    def __init__(self, job, request):
        torch.set_num_threads(job["threads"])
        tensors = read_tensors(job)
        last = request["setting"] == "channels_last"
        layout = torch.channels_last if last else torch.contiguous_format
        self.images = tensors["images"].to(memory_format=layout).requires_grad_(True)
        self.gradient = tensors["gradient"].to(memory_format=layout)
        self.norm = nn.BatchNorm2d(self.images.shape[1])
        self.norm.load_state_dict({name: tensors[name] for name in ("weight", "bias")}, strict=False)

    def step(self, _):
        self.images.grad = self.norm.weight.grad = self.norm.bias.grad = None
        result = self.norm(self.images)
        result.backward(self.gradient)
        return result

    def logits(self):
        result = self.step(0.0).detach()
        root = (result.numel() / result.shape[1]) ** 0.5
        gradients = [self.norm.weight.grad / root, self.norm.bias.grad / root]
        firsts = [result, self.images.grad, *gradients]
        return torch.stack([tensor.flatten()[0] for tensor in firsts])


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    layouts = ["channels_last", "NCHW"]
    works = {
        "training": {"settings": layouts},
        "inference": {"settings": [*layouts, "channels_last, frozen", "NCHW, frozen"]},
        "layer": {"settings": layouts},
    }
    print(json.dumps({"name": f"PyTorch {torch.__version__}", "works": works}), flush=True)
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
                answer = {"milliseconds": 1000 * (time.perf_counter() - began)}
        except Exception as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


main()
