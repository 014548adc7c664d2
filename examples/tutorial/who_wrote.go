// Who wrote the lines in this stack trace? `who_wrote PROJECT < traceback.txt`: gRPC, with the client that
// `scripts/generate-client go` makes.
//
// SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"example.com/scmv1"
)

func main() {
	address := strings.TrimPrefix(os.Getenv("SCM_GATEWAY_ADDRESS"), "http://")
	if address == "" {
		address = "127.0.0.1:8080"
	}
	connection, err := grpc.Dial(address, grpc.WithInsecure())
	check(err)
	defer connection.Close()
	scm := scmv1.NewScmServiceClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "x-api-key", os.Getenv("SCM_GATEWAY_API_KEY"))

	project, err := strconv.ParseInt(os.Args[1], 10, 64)
	check(err)
	frames := readFrames(os.Stdin)
	resolved, err := scm.ResolveSourcePath(ctx, &scmv1.ResolveSourcePathRequest{
		ProjectId: project, Platform: "python", Frames: frames,
	})
	check(err)

	request := &scmv1.BatchGetCommitContextRequest{MaxAgeDays: -1}
	positions := map[int]int{}
	for index, place := range resolved.Frames {
		if place.Path != "" {
			positions[index] = len(request.Lines)
			request.Lines = append(request.Lines, &scmv1.BlameLine{
				RepositoryId: place.RepositoryId, Path: place.Path, Line: frames[index].Lineno,
			})
		}
	}
	blame, err := scm.BatchGetCommitContext(ctx, request)
	check(err)

	for index, frame := range frames {
		place, status := resolved.Frames[index], resolved.Frames[index].GetStatus()
		position, isFound := positions[index]
		if isFound {
			status = blame.Results[position].GetStatus()
		}
		if !isFound || status.GetCode() != 0 {
			fmt.Printf("%s:%d  %s\n", frame.Filename, frame.Lineno, status.GetMessage())
			continue
		}
		found := blame.Results[position].GetContext()
		summary, _, _ := strings.Cut(found.Commit.Message, "\n")
		fmt.Printf("%s:%d  %s  %s  %s  %s", place.Path, frame.Lineno, found.BlameCommitId[:10],
			found.CommittedAt.AsTime().Format("2006-01-02"), found.BlameAuthor.Name, summary)
		if position == int(blame.NewestIndex) {
			fmt.Print("  <- newest")
		}
		fmt.Println()
	}
}

func readFrames(trace io.Reader) []*scmv1.StackFrame {
	text, err := io.ReadAll(trace)
	check(err)
	var frames []*scmv1.StackFrame
	for _, found := range regexp.MustCompile(`File "(.+)", line (\d+)`).FindAllStringSubmatch(string(text), -1) {
		number, err := strconv.ParseInt(found[2], 10, 32)
		check(err)
		frames = append(frames, &scmv1.StackFrame{Filename: found[1], AbsPath: found[1], Lineno: int32(number)})
	}
	return frames
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
