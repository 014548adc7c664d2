// benchmark.Echo by C++ gRPC's completion queue and one thread, calls as state machines by hand: its fastest form on one
// core. Usage: queue LIST_FILE; prints `ready PORT`.

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

using google::protobuf::BytesValue;
using sentry::integrations::scm::v1::ListRepositoriesResponse;
using Service = benchmark::Echo::AsyncService;
using Queue = grpc::ServerCompletionQueue;

namespace {

// Calls that wait for a request, for each method.
constexpr int kWaitingCalls = 256;

// One call; its address is the tag of its next event.
class Call {
 public:
  virtual ~Call() = default;
  // The awaited event has happened. `ok` is false when it never will.
  virtual void proceed(bool ok) = 0;
};

class UnaryCall final : public Call {
 public:
  UnaryCall(Service& service, Queue& queue) : service_(service), queue_(queue), responder_(&context_) {
    service.RequestUnary(&context_, &request_, &responder_, &queue, &queue, this);
  }

  void proceed(bool ok) override {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new UnaryCall(service_, queue_);
    answered_ = true;
    response_.set_value(request_.value());
    responder_.Finish(response_, grpc::Status::OK, this);
  }

 private:
  Service& service_;
  Queue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<BytesValue> responder_;
  BytesValue request_;
  BytesValue response_;
  bool answered_ = false;
};

class ListCall final : public Call {
 public:
  ListCall(Service& service, Queue& queue, const ListRepositoriesResponse& list)
      : service_(service), queue_(queue), list_(list), responder_(&context_) {
    service.RequestList(&context_, &request_, &responder_, &queue, &queue, this);
  }

  void proceed(bool ok) override {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new ListCall(service_, queue_, list_);
    answered_ = true;
    responder_.Finish(list_, grpc::Status::OK, this);
  }

 private:
  Service& service_;
  Queue& queue_;
  const ListRepositoriesResponse& list_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<ListRepositoriesResponse> responder_;
  BytesValue request_;
  bool answered_ = false;
};

class StreamCall final : public Call {
 public:
  StreamCall(Service& service, Queue& queue, const BytesValue& message)
      : service_(service), queue_(queue), message_(message), writer_(&context_) {
    service.RequestStream(&context_, &request_, &writer_, &queue, &queue, this);
  }

  void proceed(bool ok) override {
    if (finished_ || !ok) {
      delete this;
      return;
    }
    if (sent_ == 0) new StreamCall(service_, queue_, message_);
    if (sent_ < 1000) {
      sent_ += 1;
      writer_.Write(message_, this);
    } else {
      finished_ = true;
      writer_.Finish(grpc::Status::OK, this);
    }
  }

 private:
  Service& service_;
  Queue& queue_;
  const BytesValue& message_;
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<BytesValue> writer_;
  BytesValue request_;
  int sent_ = 0;
  bool finished_ = false;
};

}  // namespace

int main(int argument_count, char** arguments) {
  ListRepositoriesResponse list;
  std::ifstream file(argument_count > 1 ? arguments[1] : "", std::ios::binary);
  if (!file || !list.ParseFromIstream(&file)) {
    std::cerr << "usage: queue LIST_FILE\n";
    return 1;
  }
  BytesValue message;
  message.set_value(std::string(1021, 'x'));

  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  std::unique_ptr<Queue> queue = builder.AddCompletionQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  for (int index = 0; index < kWaitingCalls; ++index) {
    new UnaryCall(service, *queue);
    new ListCall(service, *queue, list);
    new StreamCall(service, *queue, message);
  }
  std::cout << "ready " << port << std::endl;
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->proceed(ok);
}
