// Runs the browser example's code without a browser and prints what it gets, for test_browser_example.py.
// Arguments: folder of the example, URL, API key, repository id, path.
const [folder, url, key, repository, path] = process.argv.slice(2);
const { Scm, types } = await import(`file://${folder}/scm.js`);
const service = new Scm(url, key);
const result = { types, repositories: await service.repositories(), hunks: [] };
for await (const hunk of service.blame(Number(repository), path, "")) result.hunks.push(hunk);
try {
  for await (const _ of service.blame(987654, path, "")) throw new Error("a repository that is not there was blamed");
} catch (error) {
  result.code = error.code;
}
console.log(JSON.stringify(result));
