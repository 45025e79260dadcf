const SECONDS_PER_DAY = 86_400;

/** Parts of a UTC date, of a time in seconds since the epoch. NaN stays NaN. */
export const DATES: Readonly<Record<string, (seconds: number) => number>> = {
  minute: (s) => dateOf(s).getUTCMinutes(),
  hour: (s) => dateOf(s).getUTCHours(),
  day_of_week: (s) => dateOf(s).getUTCDay(),
  day_of_month: (s) => dateOf(s).getUTCDate(),
  day_of_year: (s) => Math.floor((dateOf(s).getTime() - startOfYear(s)) / 1000 / SECONDS_PER_DAY) + 1,
  days_in_month: (s) =>
    new Date(Date.UTC(dateOf(s).getUTCFullYear(), dateOf(s).getUTCMonth() + 1, 0)).getUTCDate(),
  month: (s) => dateOf(s).getUTCMonth() + 1,
  year: (s) => dateOf(s).getUTCFullYear(),
};

function dateOf(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}

function startOfYear(seconds: number): number {
  const date = new Date(0);
  date.setUTCFullYear(dateOf(seconds).getUTCFullYear());
  return date.getTime();
}
