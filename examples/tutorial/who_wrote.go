// Who wrote the lines in this stack trace? `go run who_wrote.go PROJECT < traceback.txt`: JSON over plain HTTP, with
// the standard library alone.
//
// SCM_GATEWAY_ADDRESS is the server (http://127.0.0.1:8080), SCM_GATEWAY_API_KEY the key.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type frame struct {
	Filename string `json:"filename"`
	AbsPath  string `json:"absPath"`
	Line     int    `json:"lineno"`
}

type place struct {
	Path         string `json:"path"`
	RepositoryID string `json:"repositoryId"`
	Status       status `json:"status"`
}

type line struct {
	RepositoryID string `json:"repositoryId"`
	Path         string `json:"path"`
	Line         int    `json:"line"`
}

type blamed struct {
	Status  status `json:"status"`
	Context struct {
		CommitID    string    `json:"blameCommitId"`
		CommittedAt time.Time `json:"committedAt"`
		Author      struct {
			Name string `json:"name"`
		} `json:"blameAuthor"`
		Commit struct {
			Message string `json:"message"`
		} `json:"commit"`
	} `json:"context"`
}

var client = http.Client{Timeout: 30 * time.Second}

func call(method string, request, answer any) {
	address := os.Getenv("SCM_GATEWAY_ADDRESS")
	if address == "" {
		address = "http://127.0.0.1:8080"
	}
	body, err := json.Marshal(request)
	check(err)
	post, err := http.NewRequest(http.MethodPost, address+"/v1/"+method, bytes.NewReader(body))
	check(err)
	post.Header.Set("content-type", "application/json")
	post.Header.Set("x-api-key", os.Getenv("SCM_GATEWAY_API_KEY"))
	response, err := client.Do(post)
	check(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(response.Body)
		log.Fatalf("%s: %s", response.Status, problem)
	}
	check(json.NewDecoder(response.Body).Decode(answer))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	trace, err := io.ReadAll(os.Stdin)
	check(err)
	var frames []frame
	for _, found := range regexp.MustCompile(`File "(.+)", line (\d+)`).FindAllStringSubmatch(string(trace), -1) {
		number, err := strconv.Atoi(found[2])
		check(err)
		frames = append(frames, frame{found[1], found[1], number})
	}
	var resolved struct{ Frames []place }
	call("ResolveSourcePath", map[string]any{"projectId": os.Args[1], "platform": "python", "frames": frames}, &resolved)

	lines := []line{}
	positions := map[int]int{}
	for index, place := range resolved.Frames {
		if place.Path != "" {
			positions[index] = len(lines)
			lines = append(lines, line{place.RepositoryID, place.Path, frames[index].Line})
		}
	}
	var blame struct {
		Results     []blamed
		NewestIndex int
	}
	call("BatchGetCommitContext", map[string]any{"maxAgeDays": -1, "lines": lines}, &blame)

	for index, frame := range frames {
		position, isFound := positions[index]
		if !isFound || blame.Results[position].Status.Code != 0 {
			reason := resolved.Frames[index].Status.Message
			if isFound {
				reason = blame.Results[position].Status.Message
			}
			fmt.Printf("%s:%d  %s\n", frame.Filename, frame.Line, reason)
			continue
		}
		context := blame.Results[position].Context
		summary, _, _ := strings.Cut(context.Commit.Message, "\n")
		fmt.Printf("%s:%d  %s  %s  %s  %s", resolved.Frames[index].Path, frame.Line, context.CommitID[:10],
			context.CommittedAt.UTC().Format("2006-01-02"), context.Author.Name, summary)
		if position == blame.NewestIndex {
			fmt.Print("  <- newest")
		}
		fmt.Println()
	}
}
