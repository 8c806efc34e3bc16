# name: unknown_property
# result: many {nothing: str}
select Account { nothing }
