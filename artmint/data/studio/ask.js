// Asking the service. A refusal keeps its words; silence is another thing than a refusal.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.message ?? problem.title ?? `The service answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

export class Silent extends Error {}

async function problemOf(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

export async function ask(path, { method = "GET", body } = {}) {
  const facts = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    facts.headers["Content-Type"] = "application/json";
    facts.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { ...facts, signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    throw new Silent("The studio doesn't answer.", { cause: error });
  }
  if (!answer.ok) throw new Refused(answer.status, await problemOf(answer));
  try {
    return await answer.json();
  } catch (error) {
    throw new Silent("The studio's answer broke off.", { cause: error });
  }
}
