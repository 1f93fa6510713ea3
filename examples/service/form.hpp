// What of a request's body is the picture.
#pragma once

#include <string>
#include <string_view>

/// The body itself; or of multipart/form-data, as browsers and `curl -F image=@three.png` send it, the part called
/// `image`, or else the first with a file name. Throws Failure: 400 for a form that is not whole, or has no such part.
std::string_view picture_of(std::string_view body, const std::string& content_type);

bool is_form(std::string_view content_type);
