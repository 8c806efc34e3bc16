# name: datetime
# result: one datetime
select <datetime>'2026-11-21T10:20:30.456789+00:00'
