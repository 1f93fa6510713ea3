// A host program with a pack of its own, a saved model, and several images, which are explained in one go.
//
//     pack_host RULES MODEL IMAGE.pgm…
//
// prints what the model sees in each image, and writes the relevance of all of them as heatmap.ppm.
#include <ascribe/attribute.hpp>
#include <ascribe/error.hpp>
#include <ascribe/heatmap.hpp>

#include <ATen/ATen.h>

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// A plain-text PGM picture as [1, 1, height, width] in [0, 1]. Its own trouble is the host's, not Ascribe's.
at::Tensor read_pgm(const std::string& path) {
  std::ifstream file(path);
  std::string magic;
  std::int64_t width = 0, height = 0, white = 0;
  if (!(file >> magic >> width >> height >> white) || magic != "P2" || width < 1 || height < 1 || white < 1)
    throw std::runtime_error(path + " is no plain-text PGM picture");
  std::vector<float> values;
  for (float value = 0; file >> value;) values.push_back(value / static_cast<float>(white));
  if (static_cast<std::int64_t>(values.size()) != width * height) throw std::runtime_error(path + " is not complete");
  return at::tensor(values).reshape({1, 1, height, width});
}

// A picture [height, width, 3] of bytes.
void write_ppm(const std::string& path, const at::Tensor& picture) {
  std::ofstream file(path, std::ios::binary);
  file << "P6 " << picture.size(1) << " " << picture.size(0) << " 255\n";
  file.write(reinterpret_cast<const char*>(picture.const_data_ptr<std::uint8_t>()), picture.numel());
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::cerr << "usage: pack_host RULES MODEL IMAGE.pgm...\n";
    return 2;
  }
  try {
    std::vector<at::Tensor> images;
    for (int i = 3; i < count; ++i) images.push_back(read_pgm(arguments[i]));
    auto x = at::cat(images);  // dimension 0 is the batch

    auto pack = ascribe::Pack::load(arguments[1]);
    auto rules = pack.composite("ink", {{"gamma", 0.1}});
    auto model = ascribe::Model::load(arguments[2]);
    auto found = ascribe::attribute(model, rules, x);  // of each image's largest output

    for (auto& warning : pack.warnings()) std::cerr << ascribe::render_text(warning);
    std::cout << pack.name() << " " << pack.version() << ": " << rules.description() << "\n";
    for (std::int64_t i = 0; i < x.size(0); ++i)
      std::cout << arguments[3 + i] << ": " << found.output[i].argmax().item<std::int64_t>() << ", relevance "
                << found.relevance[i].sum().item<double>() << " of " << found.output[i].max().item<double>() << "\n";

    // The images' maps in one picture: red speaks for what the model sees, blue against it.
    write_ppm("heatmap.ppm", ascribe::heatmap(found.relevance));

    // The layers that the pack's composite is not for would show up here.
    for (auto& layer : found.report)
      if (layer.entry.empty()) std::cout << layer.name << " (" << layer.kind << ") keeps its gradient\n";
  } catch (const ascribe::Error& error) {
    for (auto& diagnostic : error.diagnostics()) std::cerr << ascribe::render_text(diagnostic);
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "pack_host: " << error.what() << "\n";
    return 1;
  }
}
