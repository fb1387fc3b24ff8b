// Identifies the species on a photograph: in one call, and twice over in a stream.
//
// usage: identify HOST:PORT PHOTO

#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "menagerie/species/v1/species.grpc.pb.h"

namespace species = menagerie::species::v1;
using menagerie::type::v1::Image;

namespace {

Image read_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  Image image;
  image.set_content(std::string(std::istreambuf_iterator<char>(file), {}));
  image.set_filename(path.substr(path.rfind('/') + 1));
  return image;
}

void check(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.error_message());
}

void identify(species::SpeciesService::Stub& api, const Image& image) {
  grpc::ClientContext context;
  species::UploadFileRequest request;
  *request.mutable_image() = image;
  species::UploadFileResponse answer;
  check(api.UploadFile(&context, request, &answer));
  std::cout << "UploadFile: " << answer.speciesnet().prediction_display_name() << '\n';
}

// Sends from a thread of its own: a sender that does not read stops as soon as the server waits for its reader.
void identify_all(species::SpeciesService::Stub& api, const Image& image) {
  grpc::ClientContext context;
  const auto call = api.PredictStream(&context);
  std::thread sender([&] {
    for (const char* id : {"first", "second"}) {
      species::PredictStreamRequest request;
      request.set_id(id);
      *request.mutable_image() = image;
      if (!call->Write(request)) return;  // The call has ended; Finish says why.
    }
    call->WritesDone();
  });
  species::PredictStreamResponse row;
  while (call->Read(&row)) {
    const bool failed = row.outcome_case() == species::PredictStreamResponse::kError;
    std::cout << "PredictStream: " << row.id() << ": "
              << (failed ? row.error() : row.speciesnet().prediction_display_name()) << '\n';
  }
  sender.join();
  check(call->Finish());
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 3) throw std::invalid_argument("usage: identify HOST:PORT PHOTO");
  const auto channel = grpc::CreateChannel(arguments[1], grpc::InsecureChannelCredentials());
  const auto api = species::SpeciesService::NewStub(channel);
  const Image image = read_image(arguments[2]);
  identify(*api, image);
  identify_all(*api, image);
} catch (const std::exception& problem) {
  std::cerr << problem.what() << '\n';
  return 1;
}
