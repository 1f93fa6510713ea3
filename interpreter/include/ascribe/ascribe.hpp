// Everything that a host program needs. Each header is a manual of its part:
//
//   pack.hpp       rules and composites, from files to values                      no LibTorch
//   files.hpp      where rules are read from, if not from the disk                 no LibTorch
//   error.hpp      the one exception, with its diagnostics                         no LibTorch
//   version.hpp    which version this is                                           no LibTorch
//   attach.hpp     rules on a model that the host runs itself
//   hooked.hpp     a rule on one module
//   host_model.hpp attach.hpp and attribute.hpp for models that the host runs in its own way
//   model.hpp      saved models
//   attribute.hpp  the relevance of a saved model's inputs, in one call
//   progress.hpp   how far that is                                                no LibTorch
//   report.hpp     what happened at each layer                                     no LibTorch
//   heatmap.hpp    relevance as a picture
//   figure.hpp     the same with captions, titles and colour bars, as SVG
//   picture.hpp    pictures and arrays from bytes, what is done with them before a model, and back to bytes
//   cache.hpp      the memory that is kept between calls
//
// What holds for all of them:
// - Every mistake is an ascribe::Error. Besides it there are only std::bad_alloc, what a host's own callback throws,
//   and, where the host calls its model and backward() itself, what LibTorch throws from operators that are no layers.
// - Nothing is printed, and no setting of the process or of LibTorch is changed. With the first use in a process, one
//   kernel is registered in LibTorch's dispatcher, which stays; it costs nothing where no rules are attached. Several
//   copies of the library in one process (plugins with a static copy each) share it.
// - Functions may be called from several threads at once, and objects be read by several; an object that is written to
//   or moved from belongs to one thread at a time, as everywhere in C++.
// - How many threads one operator uses is LibTorch's setting, and the host's choice: at::set_num_threads(). Threads
// that
//   wait for work spin (libgomp's way), so that on a machine with other work, small models, and hosts with a thread for
//   each request, are quickest with at::set_num_threads(1), by up to a hundred times; OMP_WAIT_POLICY=passive in the
//   environment ends the spinning, at the price of slower starts. `ascribe run` takes one for models of little work.
// - Relevance of a tensor has the tensor's shape. Dimension 0 counts samples, whose relevance does not mix.
#pragma once

#include "ascribe/attach.hpp"
#include "ascribe/attribute.hpp"
#include "ascribe/cache.hpp"
#include "ascribe/error.hpp"
#include "ascribe/figure.hpp"
#include "ascribe/files.hpp"
#include "ascribe/heatmap.hpp"
#include "ascribe/hooked.hpp"
#include "ascribe/host_model.hpp"
#include "ascribe/model.hpp"
#include "ascribe/pack.hpp"
#include "ascribe/picture.hpp"
#include "ascribe/progress.hpp"
#include "ascribe/report.hpp"
#include "ascribe/version.hpp"
