// A web service that explains what a model sees in a picture.
//
//     service --model MODEL --rules epsilon_plus --port 8080
//
// Loads everything once, answers until it is interrupted, and finishes what is under way then. README.md says what it
// answers.
#include <ascribe/error.hpp>
#include <ascribe/model.hpp>
#include <ascribe/pack.hpp>
#include <ascribe/picture.hpp>

#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <pthread.h>

#include "explainer.hpp"
#include "failure.hpp"
#include "http_server.hpp"
#include "service.hpp"
#include "workers.hpp"

namespace {

struct Options {
  std::string model, rules, labels, host = "127.0.0.1";
  std::vector<std::filesystem::path> load;
  int port = 8080;
  bool imagenet = false, grey = false, colour = false;
  std::vector<std::int64_t> resize, crop;
  std::vector<double> mean, deviation;
  std::size_t workers = std::max(1u, std::thread::hardware_concurrency()), queue = 32;
  std::uint64_t pixels = 16'000'000;
  std::size_t body = 10'000'000, connections = 64;
  double time = 30, request_time = 20;
};

void add_options(CLI::App& command, Options& options) {
  auto add = [&](const char* name, auto& value, const char* help, const char* group) {
    return command.add_option(name, value, help)->group(group)->capture_default_str();
  };
  add("--model", options.model, "an exported program (.pt2) or a TorchScript file (.pt)", "Model and rules")
      ->required();
  add("--rules", options.rules, "a composite or rule, such as 'epsilon_plus(epsilon = 0.1)'", "Model and rules")
      ->required();
  add("--load", options.load, "rule files and packs; POST /reload reads them again", "Model and rules");
  add("--labels", options.labels, "a file with the outputs' names, a line for each", "Model and rules");
  command.add_flag("--imagenet", options.imagenet, "resize 256, crop 224, in colour, ImageNet's mean and deviation")
      ->group("Pictures");
  add("--resize", options.resize, "pixels of the shorter side, or height,width", "Pictures")->delimiter(',');
  add("--crop", options.crop, "the middle part: side, or height,width", "Pictures")->delimiter(',');
  command.add_flag("--grey", options.grey, "one channel of three")->group("Pictures");
  command.add_flag("--colour", options.colour, "three equal channels of one")->group("Pictures");
  add("--mean", options.mean, "subtracted: one, or one for each channel", "Pictures")->delimiter(',');
  add("--std", options.deviation, "divided by: one, or one for each channel", "Pictures")->delimiter(',');
  add("--host", options.host, "the address to listen on; 0.0.0.0 is all", "Network");
  add("--port", options.port, "0 is any that is free", "Network")->check(CLI::Range(0, 65535));
  add("--workers", options.workers, "threads that compute", "Limits")->check(CLI::Range(1, 1024));
  add("--queue", options.queue, "requests that may wait for them", "Limits")->check(CLI::Range(1, 100'000));
  add("--connections", options.connections, "clients that are talked to at once", "Limits")->check(CLI::Range(1, 900));
  add("--body", options.body, "bytes of a body", "Limits")->check(CLI::PositiveNumber);
  add("--pixels", options.pixels, "pixels of a picture", "Limits")->check(CLI::PositiveNumber);
  add("--time", options.time, "seconds for a request to be answered, those in the queue included", "Limits")
      ->check(CLI::Range(0.001, 86'400.0));
  add("--request-time", options.request_time, "seconds for a request to come in", "Limits")
      ->check(CLI::Range(0.001, 86'400.0));
}

ascribe::Preparation preparation(const Options& options) {
  auto out = options.imagenet ? ascribe::Preparation::imagenet() : ascribe::Preparation();
  if (options.grey) out.grey = true;
  if (options.colour) out.colour = true;
  if (!options.resize.empty()) out.resize = options.resize;
  if (!options.crop.empty()) out.crop = options.crop;
  if (!options.mean.empty()) out.mean = options.mean;
  if (!options.deviation.empty()) out.deviation = options.deviation;
  return out;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> out;
  if (path.empty()) return out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) out.push_back(line);
  if (!file.eof() || out.empty())
    throw Failure(500, "labels", "cannot read " + path, "give a file with a line for each of the model's outputs");
  return out;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

// glibc keeps for itself what large bodies and pictures took, in a heap for each of many threads, and takes more and
// more memory for the same work. What is large shall go back as soon as it is free, and few heaps do.
void keep_memory_flat() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
  mallopt(M_ARENA_MAX, 4);
#endif
}

// Waits for SIGINT or SIGTERM, which all other threads leave to this one, and ends the server's listening then.
std::jthread stop_on_signal(HttpServer& server) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return std::jthread([signals, &server](std::stop_token done) {
    timespec a_while{.tv_sec = 0, .tv_nsec = 200'000'000};
    for (bool stopping = false; !done.stop_requested();) {
      stopping = sigtimedwait(&signals, nullptr, &a_while) > 0 || stopping;
      if (stopping) server.end();  // once more, where it has not yet begun
    }
  });
}

void serve(const Options& options) {
  keep_memory_flat();      // before there are threads
  at::set_num_threads(1);  // workers.hpp says why
  auto model = ascribe::Model::load(options.model);
  auto pack = options.load.empty() ? ascribe::Pack::standard() : ascribe::Pack::load(options.load);
  for (auto& warning : pack.warnings()) std::cerr << ascribe::render_text(warning);
  Explainer explainer(model, preparation(options), lines_of(options.labels), options.pixels);

  HttpServer server({.connections = options.connections,
                     .waiting_connections = options.connections,
                     .body_bytes = options.body,
                     .request_time = milliseconds(options.request_time)});
  auto signals = stop_on_signal(server);  // before there are threads, which then leave signals alone, too
  Workers workers(options.workers, options.queue);
  Service service(std::move(explainer), pack, options.rules, workers, milliseconds(options.time));
  service.add_to(server);
  auto port = server.open(options.host, options.port);
  std::cout << "http://" << options.host << ":" << port << "  " << options.workers << " workers" << std::endl;
  server.listen_after_bind();
  std::cout << "stopped; every request was answered" << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App command("Explains what a model sees in pictures, over HTTP", "service");
  add_options(command, options);
  try {
    command.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return command.exit(error) == 0 ? 0 : 2;
  }
  try {
    serve(options);
  } catch (const ascribe::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  } catch (const Failure& failure) {
    std::cerr << "service: " << failure.message << "\n  = help: " << failure.help << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "service: " << error.what() << "\n";
    return 1;
  }
}
