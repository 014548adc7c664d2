// benchmark.Echo by C++ gRPC's callback interface, the one it recommends for speed (state machines by hand on its completion
// queue take as long), or by the synchronous one of its tutorial. Usage: server LIST_FILE [--synchronous]; prints
// `ready PORT`.

#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/message_allocator.h>

#include "echo.grpc.pb.h"

using google::protobuf::BytesValue;
using sentry::integrations::scm::v1::ListRepositoriesResponse;

namespace {

// Answers with the list where it lies: else each call would copy it first.
class ListMessages final : public grpc::MessageHolder<BytesValue, ListRepositoriesResponse> {
 public:
  explicit ListMessages(ListRepositoriesResponse* list) {
    set_request(&request_);
    set_response(list);
  }

  void Release() override { delete this; }

 private:
  BytesValue request_;
};

class ListAllocator final : public grpc::MessageAllocator<BytesValue, ListRepositoriesResponse> {
 public:
  explicit ListAllocator(ListRepositoriesResponse* list) : list_(list) {}

  grpc::MessageHolder<BytesValue, ListRepositoriesResponse>* AllocateMessages() override {
    return new ListMessages(list_);
  }

 private:
  ListRepositoriesResponse* list_;
};

class Stream final : public grpc::ServerWriteReactor<BytesValue> {
 public:
  explicit Stream(const BytesValue& message) : message_(message) { next(); }

  void OnWriteDone(bool ok) override {
    if (ok) {
      next();
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }

  void OnDone() override { delete this; }

 private:
  void next() {
    if (sent_ == 1000) {
      Finish(grpc::Status::OK);
      return;
    }
    sent_ += 1;
    StartWrite(&message_);
  }

  const BytesValue& message_;
  int sent_ = 0;
};

class EchoService final : public benchmark::Echo::CallbackService {
 public:
  explicit EchoService(ListRepositoriesResponse* list) : allocator_(list) {
    message_.set_value(std::string(1021, 'x'));
    SetMessageAllocatorFor_List(&allocator_);
  }

  grpc::ServerUnaryReactor* Unary(
      grpc::CallbackServerContext* context, const BytesValue* request, BytesValue* response) override {
    response->set_value(request->value());
    return finished(context);
  }

  grpc::ServerUnaryReactor* List(
      grpc::CallbackServerContext* context, const BytesValue*, ListRepositoriesResponse*) override {
    return finished(context);
  }

  grpc::ServerWriteReactor<BytesValue>* Stream(grpc::CallbackServerContext*, const BytesValue*) override {
    return new ::Stream(message_);
  }

 private:
  static grpc::ServerUnaryReactor* finished(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  ListAllocator allocator_;
  BytesValue message_;
};

// As the tutorial writes it: a thread for each call, and a response that is filled.
class SynchronousService final : public benchmark::Echo::Service {
 public:
  explicit SynchronousService(const ListRepositoriesResponse& list) : list_(list) {
    message_.set_value(std::string(1021, 'x'));
  }

  grpc::Status Unary(grpc::ServerContext*, const BytesValue* request, BytesValue* response) override {
    response->set_value(request->value());
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const BytesValue*, ListRepositoriesResponse* response) override {
    response->CopyFrom(list_);
    return grpc::Status::OK;
  }

  grpc::Status Stream(grpc::ServerContext*, const BytesValue*, grpc::ServerWriter<BytesValue>* writer) override {
    for (int sent = 0; sent < 1000; ++sent) {
      if (!writer->Write(message_)) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }

 private:
  const ListRepositoriesResponse& list_;
  BytesValue message_;
};

}  // namespace

int main(int argument_count, char** arguments) {
  ListRepositoriesResponse list;
  std::ifstream file(argument_count > 1 ? arguments[1] : "", std::ios::binary);
  if (!file || !list.ParseFromIstream(&file)) {
    std::cerr << "usage: server LIST_FILE [--synchronous]\n";
    return 1;
  }
  const bool is_synchronous = argument_count > 2 && std::string(arguments[2]) == "--synchronous";
  EchoService service(&list);
  SynchronousService synchronous(list);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(is_synchronous ? static_cast<grpc::Service*>(&synchronous) : &service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::cout << "ready " << port << std::endl;
  server->Wait();
}
