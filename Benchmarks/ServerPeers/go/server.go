// benchmark.Echo by grpc-go. Usage: server LIST_FILE; prints `ready PORT`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"os"

	"benchmark/echo"
	"benchmark/scm"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type server struct {
	echo.UnimplementedEchoServer
	list    *scm.ListRepositoriesResponse
	message *wrapperspb.BytesValue
}

func (s *server) Unary(_ context.Context, request *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	return request, nil
}

func (s *server) List(context.Context, *wrapperspb.BytesValue) (*scm.ListRepositoriesResponse, error) {
	return s.list, nil
}

func (s *server) Stream(_ *wrapperspb.BytesValue, stream echo.Echo_StreamServer) error {
	for index := 0; index < 1000; index++ {
		if err := stream.Send(s.message); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server LIST_FILE")
	}
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	list := &scm.ListRepositoriesResponse{}
	if err := proto.Unmarshal(data, list); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	message := &wrapperspb.BytesValue{Value: bytes.Repeat([]byte("x"), 1021)}
	services := grpc.NewServer()
	echo.RegisterEchoServer(services, &server{list: list, message: message})
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(services.Serve(listener))
}
