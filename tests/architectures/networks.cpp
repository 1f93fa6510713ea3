#include "tests/architectures/networks.hpp"

#include <ATen/ATen.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/nn/modules/upsampling.h>

#include <map>
#include <stdexcept>

namespace test {
using namespace ascribe;
namespace {

namespace nn = torch::nn;

constexpr std::int64_t classes = 10;

// Modules one after the other, which may be such chains themselves.
struct ChainImpl : nn::SequentialImpl {
  using SequentialImpl::SequentialImpl;
  at::Tensor forward(const at::Tensor& x) { return SequentialImpl::forward(x); }
};
TORCH_MODULE(Chain);

struct Window {
  std::int64_t kernel, stride = 1, padding = 0, groups = 1;
  bool bias = false;
};
nn::Conv2d conv(std::int64_t channels, std::int64_t width, Window window) {
  return nn::Conv2d(nn::Conv2dOptions(channels, width, window.kernel)
                        .stride(window.stride)
                        .padding(window.padding)
                        .groups(window.groups)
                        .bias(window.bias));
}
nn::Conv2d conv_with_bias(std::int64_t channels, std::int64_t width, Window window) {
  window.bias = true;
  return conv(channels, width, window);
}
nn::MaxPool2d max_pool(std::int64_t kernel, std::int64_t stride, std::int64_t padding = 0, bool ceil = false) {
  return nn::MaxPool2d(nn::MaxPool2dOptions(kernel).stride(stride).padding(padding).ceil_mode(ceil));
}
nn::ReLU relu_in_place() { return nn::ReLU(nn::ReLUOptions(true)); }
nn::ReLU6 relu6_in_place() { return nn::ReLU6(nn::ReLU6Options(true)); }
at::Tensor averaged(const at::Tensor& x) { return at::adaptive_avg_pool2d(x, {1, 1}).flatten(1); }

struct AlexNet : Network {
  Chain features{conv_with_bias(3, 16, {11, 4, 2}),
                 relu_in_place(),
                 max_pool(3, 2),
                 conv_with_bias(16, 48, {5, 1, 2}),
                 relu_in_place(),
                 max_pool(3, 2),
                 conv_with_bias(48, 96, {3, 1, 1}),
                 relu_in_place(),
                 conv_with_bias(96, 64, {3, 1, 1}),
                 relu_in_place(),
                 conv_with_bias(64, 64, {3, 1, 1}),
                 relu_in_place(),
                 max_pool(3, 2)};
  nn::AdaptiveAvgPool2d avgpool{nn::AdaptiveAvgPool2dOptions({6, 6})};
  Chain classifier{nn::Dropout(),        nn::Linear(64 * 36, 128), relu_in_place(),         nn::Dropout(),
                   nn::Linear(128, 128), relu_in_place(),          nn::Linear(128, classes)};

  AlexNet() {
    register_module("features", features);
    register_module("avgpool", avgpool);
    register_module("classifier", classifier);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return classifier->forward(avgpool(features->forward(x)).flatten(1));
  }
};

struct VGG11BN : Network {
  Chain features;
  nn::AdaptiveAvgPool2d avgpool{nn::AdaptiveAvgPool2dOptions({7, 7})};
  Chain classifier{nn::Linear(128 * 49, 128), relu_in_place(), nn::Dropout(),           nn::Linear(128, 128),
                   relu_in_place(),           nn::Dropout(),   nn::Linear(128, classes)};

  VGG11BN() {
    constexpr std::int64_t pool = 0;
    std::int64_t channels = 3;
    for (auto width : {16L, pool, 32L, pool, 64L, 64L, pool, 128L, 128L, pool, 128L, 128L, pool}) {
      if (width == pool) {
        features->push_back(max_pool(2, 2));
        continue;
      }
      features->push_back(conv_with_bias(channels, width, {3, 1, 1}));
      features->push_back(nn::BatchNorm2d(width));
      features->push_back(relu_in_place());
      channels = width;
    }
    register_module("features", features);
    register_module("avgpool", avgpool);
    register_module("classifier", classifier);
  }
  at::Tensor forward(const at::Tensor& x) override {
    return classifier->forward(avgpool(features->forward(x)).flatten(1));
  }
};

struct BasicBlock : nn::Module {
  nn::Conv2d conv1, conv2;
  nn::BatchNorm2d bn1, bn2;
  nn::ReLU relu = relu_in_place();
  Chain downsample{nullptr};

  BasicBlock(std::int64_t channels, std::int64_t width, std::int64_t stride)
      : conv1(conv(channels, width, {3, stride, 1})), conv2(conv(width, width, {3, 1, 1})), bn1(width), bn2(width) {
    register_module("conv1", conv1);
    register_module("bn1", bn1);
    register_module("relu", relu);
    register_module("conv2", conv2);
    register_module("bn2", bn2);
    if (stride == 1 && channels == width) return;
    downsample = Chain(conv(channels, width, {1, stride}), nn::BatchNorm2d(width));
    register_module("downsample", downsample);
  }
  at::Tensor forward(const at::Tensor& x) {
    auto out = bn2(conv2(relu(bn1(conv1(x)))));
    out += downsample ? downsample->forward(x) : x;
    return relu(out);
  }
};

struct ResNet18 : Network {
  nn::Conv2d conv1 = conv(3, 16, {7, 2, 3});
  nn::BatchNorm2d bn1{16};
  nn::ReLU relu = relu_in_place();
  nn::MaxPool2d maxpool = max_pool(3, 2, 1);
  Chain layer1 = blocks(16, 16, 1), layer2 = blocks(16, 32, 2), layer3 = blocks(32, 64, 2), layer4 = blocks(64, 128, 2);
  nn::AdaptiveAvgPool2d avgpool{nn::AdaptiveAvgPool2dOptions({1, 1})};
  nn::Linear fc{128, classes};

  static Chain blocks(std::int64_t channels, std::int64_t width, std::int64_t stride) {
    return Chain(std::make_shared<BasicBlock>(channels, width, stride), std::make_shared<BasicBlock>(width, width, 1));
  }
  ResNet18() {
    register_module("conv1", conv1);
    register_module("bn1", bn1);
    register_module("relu", relu);
    register_module("maxpool", maxpool);
    register_module("layer1", layer1);
    register_module("layer2", layer2);
    register_module("layer3", layer3);
    register_module("layer4", layer4);
    register_module("avgpool", avgpool);
    register_module("fc", fc);
  }
  at::Tensor forward(const at::Tensor& x) override {
    auto wide = maxpool(relu(bn1(conv1(x))));
    auto deep = layer4->forward(layer3->forward(layer2->forward(layer1->forward(wide))));
    return fc(avgpool(deep).flatten(1));
  }
};

struct DenseLayer : nn::Module {
  nn::BatchNorm2d norm1, norm2;
  nn::ReLU relu1 = relu_in_place(), relu2 = relu_in_place();
  nn::Conv2d conv1, conv2;

  DenseLayer(std::int64_t channels, std::int64_t growth)
      : norm1(channels),
        norm2(4 * growth),
        conv1(conv(channels, 4 * growth, {1})),
        conv2(conv(4 * growth, growth, {3, 1, 1})) {
    register_module("norm1", norm1);
    register_module("relu1", relu1);
    register_module("conv1", conv1);
    register_module("norm2", norm2);
    register_module("relu2", relu2);
    register_module("conv2", conv2);
  }
  at::Tensor forward(const at::Tensor& x) { return at::cat({x, conv2(relu2(norm2(conv1(relu1(norm1(x))))))}, 1); }
};

struct DenseNet121 : Network {
  Chain features;
  nn::Linear classifier{nullptr};

  DenseNet121() {
    constexpr std::int64_t growth = 8;
    std::int64_t channels = 16, number = 0;
    features->push_back("conv0", conv(3, channels, {7, 2, 3}));
    features->push_back("norm0", nn::BatchNorm2d(channels));
    features->push_back("relu0", relu_in_place());
    features->push_back("pool0", max_pool(3, 2, 1));
    for (auto layers : {6, 12, 24, 16}) {
      Chain block;
      for (int layer = 1; layer <= layers; ++layer, channels += growth)
        block->push_back("denselayer" + std::to_string(layer), std::make_shared<DenseLayer>(channels, growth));
      features->push_back("denseblock" + std::to_string(++number), block);
      if (number == 4) break;
      Chain transition;
      transition->push_back("norm", nn::BatchNorm2d(channels));
      transition->push_back("relu", relu_in_place());
      transition->push_back("conv", conv(channels, channels / 2, {1}));
      transition->push_back("pool", nn::AvgPool2d(nn::AvgPool2dOptions(2).stride(2)));
      features->push_back("transition" + std::to_string(number), transition);
      channels /= 2;
    }
    features->push_back("norm5", nn::BatchNorm2d(channels));
    register_module("features", features);
    classifier = register_module("classifier", nn::Linear(channels, classes));
  }
  at::Tensor forward(const at::Tensor& x) override { return classifier(averaged(features->forward(x).relu_())); }
};

Chain conv_bn_relu6(std::int64_t channels, std::int64_t width, Window window) {
  window.padding = window.kernel / 2;
  return Chain(conv(channels, width, window), nn::BatchNorm2d(width), relu6_in_place());
}

struct InvertedResidual : nn::Module {
  Chain layers;
  bool residual;

  InvertedResidual(std::int64_t channels, std::int64_t width, std::int64_t stride, std::int64_t expansion)
      : residual(stride == 1 && channels == width) {
    auto hidden = channels * expansion;
    if (expansion != 1) layers->push_back(conv_bn_relu6(channels, hidden, {1}));
    layers->push_back(conv_bn_relu6(hidden, hidden, {3, stride, 0, hidden}));
    layers->push_back(conv(hidden, width, {1}));
    layers->push_back(nn::BatchNorm2d(width));
    register_module("conv", layers);
  }
  at::Tensor forward(const at::Tensor& x) { return residual ? x + layers->forward(x) : layers->forward(x); }
};

struct MobileNetV2 : Network {
  Chain features;
  Chain classifier{nn::Dropout(0.2), nn::Linear(320, classes)};

  MobileNetV2() {
    struct Stage {
      std::int64_t expansion, width, count, stride;
    };
    std::int64_t channels = 8;
    features->push_back(conv_bn_relu6(3, channels, {3, 2}));
    for (auto [expansion, width, count, stride] :
         {Stage{1, 4, 1, 1}, {6, 6, 2, 2}, {6, 8, 3, 2}, {6, 16, 4, 2}, {6, 24, 3, 1}, {6, 40, 3, 2}, {6, 80, 1, 1}}) {
      for (int number = 0; number < count; ++number, channels = width)
        features->push_back(std::make_shared<InvertedResidual>(channels, width, number == 0 ? stride : 1, expansion));
    }
    features->push_back(conv_bn_relu6(channels, 320, {1}));
    register_module("features", features);
    register_module("classifier", classifier);
  }
  at::Tensor forward(const at::Tensor& x) override { return classifier->forward(averaged(features->forward(x))); }
};

struct BasicConv2dImpl : nn::Module {
  nn::Conv2d convolution;
  nn::BatchNorm2d bn;

  BasicConv2dImpl(std::int64_t channels, std::int64_t width, Window window)
      : convolution(conv(channels, width, window)), bn(nn::BatchNorm2dOptions(width).eps(0.001)) {
    register_module("conv", convolution);
    register_module("bn", bn);
  }
  at::Tensor forward(const at::Tensor& x) { return bn(convolution(x)).relu_(); }
};
TORCH_MODULE(BasicConv2d);

struct InceptionImpl : nn::Module {
  BasicConv2d branch1;
  Chain branch2, branch3, branch4;

  InceptionImpl(std::int64_t channels, std::int64_t direct, std::int64_t reduce3, std::int64_t wide3,
                std::int64_t reduce5, std::int64_t wide5, std::int64_t pooled)
      : branch1(channels, direct, Window{1}),
        branch2(BasicConv2d(channels, reduce3, Window{1}), BasicConv2d(reduce3, wide3, Window{3, 1, 1})),
        branch3(BasicConv2d(channels, reduce5, Window{1}), BasicConv2d(reduce5, wide5, Window{3, 1, 1})),
        branch4(max_pool(3, 1, 1, true), BasicConv2d(channels, pooled, Window{1})) {
    register_module("branch1", branch1);
    register_module("branch2", branch2);
    register_module("branch3", branch3);
    register_module("branch4", branch4);
  }
  at::Tensor forward(const at::Tensor& x) {
    auto first = branch1(x), second = branch2->forward(x), third = branch3->forward(x), fourth = branch4->forward(x);
    return at::cat({first, second, third, fourth}, 1);
  }
};
TORCH_MODULE(Inception);

struct GoogLeNet : Network {
  Chain layers;
  nn::Dropout dropout{0.2};
  nn::Linear fc{256, classes};

  // One after the other: a Sequential runs them, the names are the network's own.
  template <typename Layer>
  void add(const std::string& name, Layer layer) {
    layers->push_back(name, register_module(name, layer));
  }
  GoogLeNet() {
    add("conv1", BasicConv2d(3, 16, Window{7, 2, 3}));
    add("maxpool1", max_pool(3, 2, 0, true));
    add("conv2", BasicConv2d(16, 16, Window{1}));
    add("conv3", BasicConv2d(16, 48, Window{3, 1, 1}));
    add("maxpool2", max_pool(3, 2, 0, true));
    add("inception3a", Inception(48, 16, 24, 32, 4, 8, 8));
    add("inception3b", Inception(64, 32, 32, 48, 8, 24, 16));
    add("maxpool3", max_pool(3, 2, 0, true));
    add("inception4a", Inception(120, 48, 24, 52, 4, 12, 16));
    add("inception4b", Inception(128, 40, 28, 56, 6, 16, 16));
    add("inception4c", Inception(128, 32, 32, 64, 6, 16, 16));
    add("inception4d", Inception(128, 28, 36, 72, 8, 16, 16));
    add("inception4e", Inception(132, 64, 40, 80, 8, 32, 32));
    add("maxpool4", max_pool(2, 2, 0, true));
    add("inception5a", Inception(208, 64, 40, 80, 8, 32, 32));
    add("inception5b", Inception(208, 96, 48, 96, 12, 32, 32));
    add("avgpool", nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1})));
    register_module("dropout", dropout);
    register_module("fc", fc);
  }
  at::Tensor forward(const at::Tensor& x) override { return fc(dropout(layers->forward(x).flatten(1))); }
};

Chain double_conv(std::int64_t channels, std::int64_t width) {
  return Chain(conv(channels, width, {3, 1, 1}), nn::BatchNorm2d(width), nn::ReLU(),
               conv_with_bias(width, width, {3, 1, 1}), nn::ReLU());
}

struct UNet : Network {
  Chain down1 = double_conv(3, 8), down2 = double_conv(8, 16), bottom = double_conv(16, 32),
        merge2 = double_conv(32, 16), merge1 = double_conv(24, 8);
  nn::MaxPool2d pool = max_pool(2, 2);
  nn::ConvTranspose2d up2{nn::ConvTranspose2dOptions(32, 16, 2).stride(2)};
  nn::BatchNorm2d norm2{16};
  nn::Upsample up1{nn::UpsampleOptions().scale_factor(std::vector<double>{2, 2}).mode(torch::kNearest)};
  nn::Conv2d head = conv_with_bias(8, classes, {1});

  UNet() {
    register_module("down1", down1);
    register_module("down2", down2);
    register_module("pool", pool);
    register_module("bottom", bottom);
    register_module("up2", up2);
    register_module("norm2", norm2);
    register_module("merge2", merge2);
    register_module("up1", up1);
    register_module("merge1", merge1);
    register_module("head", head);
  }
  at::Tensor forward(const at::Tensor& x) override {
    auto wide = down1->forward(x), middle = down2->forward(pool(wide));
    auto up = norm2(up2(bottom->forward(pool(middle))));
    up = merge2->forward(at::cat({middle, up}, 1));
    return head(merge1->forward(at::cat({wide, up1(up)}, 1)));
  }
};

template <typename Made>
std::shared_ptr<Network> make() {
  return std::make_shared<Made>();
}
const std::map<std::string, std::shared_ptr<Network> (*)()> table{
    {"alexnet", make<AlexNet>},
    {"vgg11_bn", make<VGG11BN>},
    {"resnet18", make<ResNet18>},
    {"densenet121", make<DenseNet121>},
    {"mobilenet_v2", make<MobileNetV2>},
    {"googlenet", make<GoogLeNet>},
    {"unet", make<UNet>},
};

// Every tensor of one list gets the value of its namesake in the other, and none is left over.
template <typename Ours, typename Theirs>
void copy_by_name(const std::string& network, const Ours& ours, const Theirs& theirs) {
  std::map<std::string, at::Tensor> saved;
  for (const auto& each : theirs) saved.emplace(each.name, each.value);
  at::NoGradGuard no_grad;
  for (auto& each : ours) {
    auto found = saved.find(each.key());
    if (found == saved.end() || found->second.sizes() != each.value().sizes())
      throw std::runtime_error(network + ": the saved network has no such " + each.key());
    auto value = each.value();
    value.copy_(found->second);
    saved.erase(found);
  }
  if (!saved.empty()) throw std::runtime_error(network + ": only the saved network has " + saved.begin()->first);
}

}  // namespace

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (auto& [name, make] : table) names.push_back(name);
  return names;
}

std::shared_ptr<Network> network(const std::string& name, const torch::jit::Module& saved) {
  auto out = table.at(name)();
  out->to(at::kDouble);
  copy_by_name(name, out->named_parameters(), saved.named_parameters());
  copy_by_name(name, out->named_buffers(), saved.named_buffers());
  out->eval();
  return out;
}

}  // namespace test
