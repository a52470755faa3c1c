"""Train a small convolutional network on the UCI digits; write loss.png and a TensorBoard log, print the accuracy."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.tensorboard import SummaryWriter


def make_model() -> nn.Module:
    """8 x 8 grey pictures in, ten classes out."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(64 * 4 * 4, 10),
    )


def main() -> None:
    """Train, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    digits = load_digits()
    pictures = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    train, test = train_test_split(range(len(labels)), test_size=0.25, random_state=0, stratify=digits.target)
    train = torch.tensor(train)
    test = torch.tensor(test)

    model = make_model()
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss_of = nn.CrossEntropyLoss()
    options.out.mkdir(parents=True, exist_ok=True)
    losses = []
    with SummaryWriter(options.out / "tensorboard") as log:
        for epoch in range(options.epochs):
            model.train()
            order = train[torch.randperm(len(train))]
            total = 0.0
            for batch in order.split(options.batch):
                optimiser.zero_grad()
                loss = loss_of(model(pictures[batch]), labels[batch])
                loss.backward()
                optimiser.step()
                total += loss.item() * len(batch)
            losses.append(total / len(train))
            model.eval()
            with torch.no_grad():
                accuracy = (model(pictures[test]).argmax(1) == labels[test]).float().mean().item()
            log.add_scalar("loss/train", losses[-1], epoch)
            log.add_scalar("accuracy/test", accuracy, epoch)
            print(f"epoch {epoch + 1:2d}  loss {losses[-1]:.4f}  accuracy {accuracy:.4f}", flush=True)

    plt.plot(range(1, options.epochs + 1), losses, marker="o")
    plt.xlabel("epoch")
    plt.ylabel("training loss")
    plt.title(f"UCI digits, test accuracy {accuracy:.3f}")
    plt.grid(alpha=0.3)
    plt.savefig(options.out / "loss.png", dpi=120)
    print(f"accuracy {accuracy:.4f} on {len(test)} pictures never trained on")


if __name__ == "__main__":
    main()
