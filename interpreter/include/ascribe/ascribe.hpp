// Everything that a host program needs. Each header is a manual of its part.
#pragma once

#include "ascribe/attach.hpp"
#include "ascribe/attribute.hpp"
#include "ascribe/error.hpp"
#include "ascribe/files.hpp"
#include "ascribe/hooked.hpp"
#include "ascribe/model.hpp"
#include "ascribe/pack.hpp"
#include "ascribe/report.hpp"
