// The few message types that the example uses, with the field numbers of Protos/sentry/integrations/scm/v1/scm.proto.
import { call, decode, encode } from "./grpc-web.js";

const Timestamp = { seconds: [1, "int"] };
const CommitAuthor = { name: [1, "string"], email: [2, "string"] };
const Repository = { id: [1, "int"], name: [3, "string"], default_branch: [11, "string"] };

export const types = {
  CommitAuthor,
  Repository,
  ListRepositoriesRequest: { page_size: [3, "int"], page_token: [4, "string"] },
  ListRepositoriesResponse: { repositories: [1, Repository, true], next_page_token: [2, "string"] },
  BlameFileRequest: { repository_id: [2, "int"], ref: [3, "string"], path: [4, "string"] },
  BlameHunk: {
    first_line: [1, "int"], line_count: [2, "int"], commit_sha: [5, "string"], summary: [6, "string"],
    author: [7, CommitAuthor], committed_at: [9, Timestamp],
  },
};

/** The service at one server, with one API key. */
export class Scm {
  constructor(url, key) {
    this.url = url.replace(/\/+$/, "");
    this.key = key;
  }

  /** All repositories, over all pages. */
  async repositories(signal) {
    const found = [];
    let page_token = "";
    do {
      const request = { page_size: 100, page_token };
      for await (const page of this.#call("ListRepositories", "ListRepositoriesResponse", request, signal)) {
        found.push(...page.repositories);
        page_token = page.next_page_token;
      }
    } while (page_token);
    return found;
  }

  /** The hunks of a file as they are found. */
  blame(repository_id, path, ref, signal) {
    return this.#call("BlameFile", "BlameHunk", { repository_id, path, ref }, signal);
  }

  async *#call(method, answer, request, signal) {
    const path = `/sentry.integrations.scm.v1.ScmService/${method}`;
    const options = { headers: { "x-api-key": this.key }, signal };
    for await (const message of call(this.url, path, encode(types[`${method}Request`], request), options)) {
      yield decode(types[answer], message);
    }
  }
}
